"""Worker processes: no result depends on how many there are, and what happens to one happens to its training only."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spadam.spec import InputError, dump, merge
from spadam.sweep.outcome.status import status
from spadam.sweep.outcome.table import rows
from spadam.sweep.running.crew import Ending
from spadam.sweep.running.local import Workers, default_workers, visible_devices
from spadam.sweep.running.task import Task
from spadam.sweep.running.task import train as train_task
from spadam.sweep.running.worker_process import Trouble
from spadam.sweep.search.slots import Slot
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support import sweep_crew
from support import sweep_quadratic as quadratic
from support.sweep_bench import SPEC, Bench
from support.sweep_program import Program

TPE = {"search": {"sampler": "tpe", "trials": 14, "lag": 3}, "repeat": {"seeds": 2}}


def outcome(bench: Bench) -> list[dict[str, Any]]:
    """Everything that a sweep comes to, but for how long it took."""
    return [
        {**row, "metrics": {name: value for name, value in row["metrics"].items() if not name.startswith("time/")}}
        for row in rows(*bench.read())
    ]


EVERYTHING: dict[str, Any] = {
    "base": {"trainer": {"epochs": 3, "steps": None}},
    "space": {
        "optimizer.lr": {"around": "declared", "decades": 3},
        "optimizer.eps_rel": {"low": 1e-4, "high": 10.0, "log": True},
    },
    "search": {"sampler": "gp", "pruner": "median", "trials": 12, "lag": 2},
}


@pytest.mark.slow
def test_real_trainings_come_to_the_same_table_with_1_2_and_4_workers(tmp_path: Path) -> None:
    """Everything at once that could depend on when a trial ends; TPE by itself is in the next test."""
    data = {"name": "digits", "batch_size": 64}
    # each worker asks its processor what `auto` is, and two may be answered differently on a busy machine
    model = {"latents": 32, "rule": {"name": "top_k", "k": 4}, "selection": "certified"}
    base = {"data": data, "model": model, "trainer": {"steps": 6}}
    spec = {**merge(merge(SPEC, {"base": base}), EVERYTHING), "space": EVERYTHING["space"]}
    spec["variants"] = {"lazy": SPEC["variants"]["lazy"]}
    found = []
    for workers in (1, 2, 4):
        (tmp_path / str(workers)).mkdir()
        bench = Bench(tmp_path / str(workers))
        bench.spec.write_text(dump(spec))
        assert bench.run(train_task, workers=workers) == 0
        found.append((bench.said.getvalue(), outcome(bench)))
    assert found[1] == found[0]
    assert found[2] == found[0]
    states = Counter(row["status"] for row in found[0][1])
    assert states.total() == spec["search"]["trials"] + 2
    assert states["pruned"]
    seen = [row["value"] for row in found[0][1] if row["value"] is not None]
    assert len(set(seen)) == len(seen), "no training was done twice"


def test_the_order_in_which_trials_finish_changes_nothing(bench: Bench, tmp_path: Path) -> None:
    bench.write(TPE)
    assert bench.run() == 0
    (tmp_path / "again").mkdir()
    again = Bench(tmp_path / "again")
    again.write(TPE)
    assert again.run(sweep_crew.late, workers=4) == 0
    assert outcome(again) == outcome(bench)
    assert again.said.getvalue() == bench.said.getvalue()


def test_a_worker_that_dies_takes_only_its_trial_with_it(bench: Bench) -> None:
    assert bench.run(sweep_crew.killed_once, workers=2) == 0
    found = rows(*bench.read())
    assert {row["status"] for row in found} == {"complete"}
    assert [(row["variant"], row["phase"], row["slot"]) for row in found if row["attempts"] == 2] == [
        ("adam", "search", 1)
    ]
    assert Counter(row["attempts"] for row in found) == {1: 9, 2: 1}
    assert (bench.folder / "adam" / "search-1" / "attempt-1" / "result.json").exists()
    assert "adam search-1 failed (infra): its worker died (signal 9: out of memory?)" in bench.told.getvalue()


def test_a_training_that_kills_every_worker_stops_the_sweep(bench: Bench) -> None:
    assert bench.run(sweep_crew.always_killed, workers=2) == 1
    assert "adam search-1: 4 attempts have failed (its worker died (exit code 7))" in bench.told.getvalue()
    assert status(*bench.read())["variants"]["adam"]["running"] == 0
    assert bench.run(workers=2) == 0  # mended
    assert max(row["attempts"] for row in rows(*bench.read())) == 5


def test_what_is_under_way_is_finished_before_the_work_is_given_up(bench: Bench) -> None:
    """Nothing of other slots is thrown away: their attempts are all accepted, or never began."""
    assert bench.run(sweep_crew.always_killed, workers=4) == 1
    others = [row for row in rows(*bench.read()) if (row["variant"], row["slot"]) != ("adam", 1)]
    assert all(row["attempts"] == (row["status"] == "complete") for row in others)


def test_wrong_input_comes_out_of_a_worker_as_it_went_in(bench: Bench) -> None:
    with pytest.raises(InputError) as caught:
        bench.run(sweep_crew.refuses, workers=2)
    assert caught.value.headline == "trainer.accelerator = 'gpu' (x.yaml:3)"
    assert caught.value.remedy == "use auto or cpu"


class Crew:
    """Workers under test, and what was heard of them."""

    def __init__(self, crew: Workers, bench: Bench) -> None:
        self.crew = crew
        self._bench = bench
        self.moved: list[tuple[Slot, Progress]] = []
        self.noted: list[str] = []

    def begin(self, number: int) -> None:
        sweep = self._bench.load()
        slot = Slot("adam", "search", 0, number, 0)
        config = sweep.variants["adam"].config({"optimizer.lr": 1e-3, "optimizer.eps": 1e-6}, 0)
        out = self._bench.folder / str(number)
        self.crew.begin(Task("lr-eps", slot, 0, config, out, sweep.spec.objective))

    def wait(self, number: int) -> list[Ending]:
        endings: list[Ending] = []
        deadline = time.monotonic() + 300
        while len(endings) < number:
            assert time.monotonic() < deadline
            endings += self.crew.listen(lambda *what: self.moved.append(what), self.noted.append)
        return endings


@pytest.fixture
def make(bench: Bench) -> Iterator[Any]:
    crews: list[Workers] = []

    def build(*arguments: Any, **options: Any) -> Crew:
        crews.append(Workers(*arguments, **options))
        return Crew(crews[-1], bench)

    yield build
    for crew in crews:
        crew.close()


def test_workers_stay_and_say_how_far_they_are(make: Any) -> None:
    crew = make(2, sweep_crew.speaks)
    seen: set[float | None] = set()
    for number in range(3):
        crew.begin(number)
        ((task, result),) = crew.wait(1)
        assert isinstance(result, RunResult)
        assert task.slot.number == number
        seen.add(result.metrics["val/fvu"])
    assert len(seen) == 1, "one process after the other would be cold"
    assert crew.noted == ["W&B: gone"] * 3
    assert [(slot.number, progress) for slot, progress in crew.moved] == [(n, sweep_crew.AT) for n in range(3)]


def test_one_that_dies_while_it_has_nothing_to_do_leaves_its_place(make: Any) -> None:
    """Before anybody has heard of it: a sweep ended in a StopIteration, found by kills at random."""
    crew = make(1, sweep_crew.speaks)
    found = set()
    for number in range(2):
        crew.begin(number)
        ((_, result),) = crew.wait(1)
        assert isinstance(result, RunResult)
        found.add(pid := int(result.metrics["val/fvu"] or 0))
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.01)
    assert len(found) == 2


def test_each_worker_sees_one_device(make: Any) -> None:
    crew = make(3, sweep_crew.speaks, devices=["2", "GPU-7"])
    for number in range(3):
        crew.begin(number)
    results = [ending.outcome for ending in crew.wait(3)]
    by_process = {result.metrics["val/fvu"]: result.metrics["note"] for result in results}
    assert sorted(by_process.values()) == ["2", "2", "GPU-7"]


def test_a_worker_of_which_nothing_is_heard_is_replaced(make: Any) -> None:
    crew = make(1, sweep_crew.hangs, stall_seconds=0.5)
    for number in range(2):
        crew.begin(number)
        ((_, outcome),) = crew.wait(1)
        assert isinstance(outcome, Trouble)
        assert (outcome.failure, outcome.said) == ("infra", "nothing was heard of it for 0.5 s")


def test_the_number_of_workers_that_suits_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spadam.machine.cores", lambda: 6)
    assert default_workers(threads=1, devices=0) == 4
    assert default_workers(threads=2, devices=0) == 3
    assert default_workers(threads=8, devices=0) == 1
    assert default_workers(threads=1, devices=8) == 8
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_devices() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-3")
    assert visible_devices() == ["5", "GPU-3"]


class Group(Program):
    """A sweep whose two workers are at a training each."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench, 2, "support.sweep_crew", str(bench.spec), str(bench.out))

    def gone(self) -> bool:
        """Nothing of the group is left."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(0.05)
        return False


GROUP, AGENT = os.killpg, os.kill


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "send", "times", "code"),
    [
        (signal.SIGINT, GROUP, 1, 130),
        (signal.SIGINT, AGENT, 3, 130),
        (signal.SIGTERM, GROUP, 2, 143),
        (signal.SIGTERM, AGENT, 1, 143),
        (signal.SIGHUP, GROUP, 1, 143),
    ],
)
def test_an_interruption_stops_everybody_and_puts_the_slots_back(
    bench: Bench, number: int, send: Callable[[int, int], None], times: int, code: int
) -> None:
    program = Group(bench)
    for _ in range(times):  # `timeout` sends two, and who is impatient presses keys again
        send(program.process.pid, number)
        time.sleep(0.05)
    _, told = program.process.communicate(timeout=300)
    assert program.process.returncode == code
    assert told.splitlines() == ["interrupted: the same command goes on from here"]
    assert program.gone()
    assert (bench.folder / "trials.csv").exists()
    states = status(*bench.read())["variants"].values()
    assert all(state["running"] == 0 and state["failed"] == 0 for state in states)
    if (number, times) == (signal.SIGTERM, 2):
        assert bench.run(workers=2) == 0


@pytest.mark.slow
def test_no_worker_outlives_an_agent_that_is_killed(bench: Bench) -> None:
    program = Group(bench)
    at_work = bench.outcome().status()
    assert sum(state["running"] for state in at_work["variants"].values()) == 2
    assert at_work["agent"]["pid"] == program.process.pid
    assert bench.outcome().left_since is None
    program.process.kill()
    program.process.communicate()
    assert program.gone()
    left = bench.outcome()
    assert sum(state["running"] for state in left.status()["variants"].values()) == 0
    assert left.status()["agent"] is None
    assert left.left_since is not None
    assert abs(left.left_since.timestamp() - time.time()) < 60
    assert {row["status"] for row in left.trials()} == {"waiting"}
    assert bench.run(quadratic.train, workers=2) == 0
    found = rows(*bench.read())
    assert {row["status"] for row in found} == {"complete"}
    assert sum(row["attempts"] > 1 for row in found) == 2, "only what was in flight is done twice"


@pytest.mark.slow
def test_a_long_temporary_folder_does_no_harm(bench: Bench) -> None:
    """The fork server listens at a socket, whose path may not be as long as that of a folder."""
    long = bench.spec.parent / ("x" * 90)
    long.mkdir()
    bench.write({"search": {"trials": 1}, "repeat": {"seeds": 0}})
    code = "import sys; from spadam.cli import main; main()"
    command = [sys.executable, "-c", code, "sweep", "run", str(bench.spec), "--out", str(bench.out), "--workers", "1"]
    subprocess.run(command, env={**os.environ, "TMPDIR": str(long)}, check=True, capture_output=True, text=True)
    assert {row["status"] for row in rows(*bench.read())} == {"complete"}


@pytest.mark.slow
def test_files_of_the_current_folder_are_not_imported(bench: Bench) -> None:
    """Neither for the standard library, nor in place of this package: a program's path begins where it lies."""
    here = bench.spec.parent / "here"
    (here / "spadam").mkdir(parents=True)
    for stranger in ("statistics.py", "spadam/__init__.py"):
        (here / stranger).write_text("raise SystemExit('a file of the current folder was imported')\n")
    program = bench.spec.parent / "bin" / "program"
    program.parent.mkdir()
    program.write_text("from spadam.cli import program\nprogram()\n")
    bench.write({"search": {"trials": 1}, "repeat": {"seeds": 0}})
    command = [sys.executable, str(program), "sweep", "run", str(bench.spec), "--out", str(bench.out), "--workers", "1"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr, "imported" in done.stderr) == (0, False, False), done.stderr
    assert len(done.stderr.splitlines()) == len(rows(*bench.read()))


@pytest.mark.slow
def test_workers_leave_no_folder_and_no_semaphore_behind(bench: Bench) -> None:
    """W&B's client has both."""
    (temporary := bench.spec.parent / "tmp").mkdir()
    small = {"search": {"trials": 1}, "repeat": {"seeds": 0}, "base": {"tracking": {"mode": "offline"}}}
    bench.write({**small})
    code = "from spadam.cli import program; program()"
    command = [sys.executable, "-c", code, "sweep", "run", str(bench.spec), "--out", str(bench.out), "--workers", "1"]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "leaked" not in done.stderr
    assert not [path for path in temporary.iterdir() if "wandb" in path.name]


def test_all_workers_of_who_has_no_home_share_a_cache(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench.spec.parent / "file").touch()
    (shared := bench.spec.parent / "shared").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(bench.spec.parent / "file" / "cache"))
    monkeypatch.setattr("spadam.training.home.scratch_folder", lambda purpose: contextlib.nullcontext(shared))
    assert bench.run(sweep_crew.cached, workers=2) == 0
    labels = {f"{row['variant']}-{row['phase']}-{row['slot']}" for row in rows(*bench.read())}
    assert labels <= {path.name for path in shared.iterdir()}
    assert "cannot be written: loops are compiled once" in bench.told.getvalue().splitlines()[0]
