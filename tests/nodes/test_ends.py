"""How a sweep on a Ray cluster ends before it is done: nothing that was told is lost, and nothing stays behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from spadam.sweep.outcome.status import status
from support.ray_cluster import ray_cluster
from support.sweep_bench import Bench
from support.sweep_program import Program

GROUP, AGENT = os.killpg, os.kill


class Session(Program):
    """A sweep on a cluster, with all that its session holds."""

    def group(self) -> list[str]:
        """What runs in its session."""
        found = subprocess.run(["ps", "-o", "comm=", "-s", str(self.process.pid)], capture_output=True, text=True)
        return found.stdout.split()

    def left(self) -> list[str]:
        """What of it is still there after a while."""
        deadline = time.monotonic() + 60
        while (there := self.group()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return there


@pytest.mark.parametrize(
    ("number", "send", "code"),
    [(signal.SIGINT, GROUP, 130), (signal.SIGTERM, GROUP, 143), (signal.SIGTERM, AGENT, 143)],
)
def test_an_interruption_puts_the_slots_back_and_ends_the_cluster(
    bench: Bench, number: int, send: Callable[[int, int], None], code: int
) -> None:
    program = Session(
        bench, 1, "support.sweep_crew", str(bench.spec), str(bench.out), "--crew", "ray", "--workers", "1"
    )
    assert "raylet" in program.group()
    send(program.process.pid, number)
    printed, told = program.process.communicate(timeout=120)
    assert (program.process.returncode, printed) == (code, "")
    *waited, said = told.splitlines()
    assert said == "interrupted: the same command goes on from here"
    assert all(line.startswith("waiting for a node of the cluster: ") for line in waited), "on a busy machine"
    assert program.left() == []
    states = status(*bench.read())["variants"].values()
    assert all(state["running"] == 0 and state["failed"] == 0 for state in states)


@pytest.mark.parametrize("again", [False, True], ids=["gone", "another"])
def test_a_cluster_that_loses_its_head_ends_the_work_and_keeps_what_was_told(
    again: bool, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where another head answers at the same address at once, as where something starts it again."""
    bench.write({"repeat": {"seeds": 0}, "search": {"trials": 2}})
    monkeypatch.setenv("SWEEP_PIDS", str(bench.spec.parent / "pids"))  # workers inherit it from their node
    with ray_cluster() as cluster:
        address = cluster.address
        program = Session(bench, 2, "support.ray_trainings", str(bench.spec), str(bench.out), address)
        begun = time.monotonic()
        cluster.head_node.kill_gcs_server(check_alive=False)
        cluster.head_node.kill_raylet(check_alive=False)
        if again:
            cluster.head_node.start_gcs_server()
        printed, told = program.process.communicate(timeout=120)
        assert time.monotonic() - begun < 60
    assert program.process.returncode == 1, told
    assert told.splitlines()[-1] == (
        f"the Ray cluster at {address} does not answer any more; is its head gone? "
        "The same command goes on, on a new cluster."
    )
    assert "Traceback" not in told + printed
    mine = [row for row in bench.outcome().trials() if row["variant"] == "adam"]
    found = {row["slot"]: row["status"] for row in mine}
    assert found == {0: "complete", 1: "waiting"}


@pytest.mark.parametrize("found", [None, "2.9.3"])
def test_without_ray_the_crew_is_refused(
    found: str | None, bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from importlib.metadata import PackageNotFoundError

    from spadam.cli import main

    def version(name: str) -> str:
        if found is None:
            raise PackageNotFoundError(name)
        return found

    monkeypatch.setattr("spadam.sweep.running.cluster.installed.version", version)
    monkeypatch.setattr(
        sys, "argv", ["spadam", "sweep", "run", str(bench.spec), "--out", str(bench.out), "--crew", "ray"]
    )
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    rule = "Ray must be installed" if found is None else "Ray must be 2.60 or newer, and is 2.9.3"
    said = ["--crew = 'ray'", f"  rule:   {rule}", '  remedy: pip install "spadam[cluster]"']
    assert capsys.readouterr().err.splitlines() == said
    assert not bench.out.exists()


@pytest.mark.parametrize(
    ("options", "argument", "rule"),
    [
        (["--per-trial", "gpus=1"], "--per-trial", "it says something about a Ray cluster"),
        (["--keep", "weights"], "--keep", "it says something about a Ray cluster"),
        (["--crew", "ray", "--workers", "0"], "--workers", "with --crew ray it is how many may train at a time"),
        (["--crew", "ray", "--checkpoint-home", "-1"], "--checkpoint-home", "it must be a number of seconds"),
        (["--crew", "ray", "--per-trial", "gpus=2"], "--per-trial", "gpus must be at most 1"),
        (["--crew", "ray", "--ray-address", "127.0.0.1:1"], "--ray-address", "a Ray cluster must answer there"),
        (["--crew", "ray", "--ray-address", "ray://head:10001"], "--ray-address", "it must be the address of a"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_do_not_serve_are_refused(
    options: list[str],
    argument: str,
    rule: str,
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from spadam.cli import main

    monkeypatch.setattr(sys, "argv", ["spadam", "sweep", "run", str(bench.spec), "--out", str(bench.out), *options])
    with pytest.raises(SystemExit) as left:
        main()
    first, second, third = capsys.readouterr().err.splitlines()
    assert (left.value.code, first.split(" = ")[0]) == (2, argument)
    assert second.removeprefix("  rule:   ").startswith(rule)
    assert third.startswith("  remedy: ")
    assert not (bench.folder / "sweep.db").exists()
