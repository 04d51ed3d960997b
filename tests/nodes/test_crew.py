"""The crew on Ray: no result depends on it, and what happens to a worker or a node happens to its training only."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from spadam.spec import InputError, merge
from spadam.sweep.outcome.table import rows
from spadam.sweep.running.agent import run_sweep
from spadam.sweep.running.cluster import crew as crews
from spadam.sweep.running.cluster import gate as gates
from spadam.sweep.running.cluster.connection import connected
from spadam.sweep.running.cluster.crew import RayCrew
from spadam.sweep.running.cluster.gate import Gate, expected_versions
from spadam.sweep.running.cluster.member import Member
from spadam.sweep.running.cluster.roll import Node
from spadam.sweep.running.cluster.samples import Lot
from spadam.sweep.running.crew import Ending
from spadam.sweep.running.means import Cluster, Means
from spadam.sweep.running.task import Task
from spadam.sweep.running.task import train as train_task
from spadam.sweep.running.worker_process import Trouble
from spadam.sweep.search.slots import Slot
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support import ray_trainings as trainings
from support.ray_cluster import ray_cluster
from support.sweep_bench import Bench
from support.sweep_crew import AT

USED_SECONDS = 10.0
"""So soon must a node be used that joins, beside what a worker takes to import what trains."""


class Crew:
    """A crew under test, and what was heard of it."""

    def __init__(self, crew: RayCrew, folder: Path) -> None:
        self.crew, self.bench = crew, Bench(folder)
        self.moved: list[tuple[Slot, Progress]] = []
        self.noted: list[str] = []

    def task(self, number: int, attempt: int = 0, changes: dict[str, Any] | None = None) -> Task:
        self.bench.write(changes)
        sweep = self.bench.load()
        slot = Slot("adam", "search", 0, number, 0)
        config = sweep.variants["adam"].config({"optimizer.lr": 1e-3, "optimizer.eps": 1e-6}, 0)
        *earlier, out = (self.bench.folder / f"{number}" / f"attempt-{n}" for n in range(attempt + 1))
        return Task("lr-eps", slot, attempt, config, out, sweep.spec.objective, earlier=tuple(earlier))

    def begin(self, number: int, attempt: int = 0, changes: dict[str, Any] | None = None) -> Task:
        task = self.task(number, attempt, changes)
        self.until(lambda: self.crew.size > sum(m.task is not None for m in self.crew._members))
        self.crew.begin(task)
        return task

    def listen(self) -> list[Ending]:
        return self.crew.listen(lambda *what: self.moved.append(what), self.noted.append)

    def until(self, holds: Callable[[], bool]) -> list[Ending]:
        endings: list[Ending] = []
        deadline = time.monotonic() + 300
        while not holds():
            assert time.monotonic() < deadline
            endings += self.listen()
        return endings

    def end(self) -> Any:
        """How the next task ends."""
        while not (endings := self.listen()):
            pass
        (ending,) = endings
        return ending.outcome


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with ray_cluster() as started:
        yield started


@pytest.fixture(scope="module")
def _crew(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    with connected(cluster.address) as connection:
        folder = tmp_path_factory.mktemp("crew")
        means = Cluster(checkpoint_home_seconds=0.0)
        crew = RayCrew(connection, means, trainings.by_number, expected_versions())
        yield Crew(crew, folder)
        crew.close()


@pytest.fixture
def crew(_crew: Crew) -> Crew:
    """One crew for all, whose worker stays warm from one test to the next."""
    _crew.moved.clear()
    _crew.noted.clear()
    return _crew


def test_it_says_how_far_a_training_is_and_where(crew: Crew) -> None:
    task = crew.begin(trainings.SPEAKS)
    where = crew.crew.where(task.slot)
    result = crew.end()
    assert isinstance(result, RunResult)
    assert where == f"{os.uname().nodename}, process {result.metrics['val/fvu']:.0f}"
    assert crew.moved == [(task.slot, AT)]
    assert crew.noted[-1:] == ["W&B: gone"]  # on a busy machine it also says that it waits for its first worker
    assert json.loads((task.out / "result.json").read_text())["metrics"] == result.metrics
    assert [path.name for path in task.out.parent.iterdir()] == ["attempt-0"]


def test_a_worker_that_dies_takes_only_its_training_with_it(crew: Crew) -> None:
    crew.begin(trainings.DIES)
    trouble = crew.end()
    assert isinstance(trouble, Trouble)
    assert trouble.failure == "infra"
    assert trouble.said.startswith(f"its worker died ({os.uname().nodename}, process ")
    crew.begin(trainings.SPEAKS)
    assert isinstance(crew.end(), RunResult)


def test_a_retry_goes_on_from_the_checkpoint_that_came_home_and_ends_with_the_same_bits(
    crew: Crew, tmp_path: Path
) -> None:
    changes = {"base": {"trainer": {"epochs": 3, "steps": None, "checkpoint_every": 1}}}
    first = crew.begin(trainings.RESUMES, changes=changes)
    assert crew.end().failure == "infra"
    home = max((first.out / "checkpoints").glob("*.ckpt"))
    assert 1 <= int(home.stem.removeprefix("step-")) <= trainings.DIES_AT
    assert sorted(path.name for path in first.out.parent.iterdir()) == ["attempt-0"]
    second = crew.begin(trainings.RESUMES, attempt=1, changes=changes)
    resumed = crew.end()
    assert isinstance(resumed, RunResult)
    assert (second.out / "begun").read_text() == home.name
    assert not (second.out / "checkpoints").exists()
    assert not (first.out / "checkpoints").exists()
    whole = crew.task(trainings.RESUMES, changes=changes)._replace(out=tmp_path / "whole")
    at_once = train_task(whole, lambda _: None)

    def lasting(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{name: value for name, value in row.items() if not name.startswith("time")} for row in rows]

    assert lasting([resumed.metrics, *resumed.evaluations]) == lasting([at_once.metrics, *at_once.evaluations])
    assert (second.out / "model.safetensors").read_bytes() == (whole.out / "model.safetensors").read_bytes()
    ledgers = [
        lasting([json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()])
        for out in (second.out, whole.out)
    ]
    assert ledgers[0] == ledgers[1]


def test_errors_of_a_training_arrive_as_from_a_process_of_this_machine(crew: Crew) -> None:
    crew.begin(trainings.FAILS)
    bug = crew.end()
    assert (bug.failure, bug.said) == ("bug", "RuntimeError: a bug")
    assert "ray_trainings.py" in bug.traceback
    task = crew.begin(trainings.GIVES_UP)
    full = crew.end()
    assert (full.failure, full.said) == ("infra", "OSError: [Errno 28] No space left on device")
    assert (task.out / "metrics.jsonl").exists(), "what it has left comes home"


def test_a_worker_of_which_nothing_is_heard_is_replaced(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew.crew, "_stall_seconds", 1.5)
    crew.begin(trainings.HANGS)
    trouble = crew.end()
    assert (trouble.failure, trouble.said) == ("infra", "nothing was heard of it for 1.5 s")


class Nowhere:
    """What Ray is asked for, of a kind that no node has: it never begins."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def options(self, **options: Any) -> Any:
        return self.kind.options(resources={"nowhere": 1.0}, **options)


def test_a_worker_that_does_not_begin_is_begun_anew(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crews, "_BEGIN_ANEW_SECONDS", 4.0)
    lost: list[Member] = []

    def lose_the_first(node: Node, kind: Any, *how: Any) -> Member:
        lost.append(Member(node, kind if lost else Nowhere(kind), *how))
        return lost[-1]

    monkeypatch.setattr(crews, "Member", lose_the_first)
    crew.begin(trainings.DIES)
    assert crew.end().failure == "infra"
    crew.begin(trainings.SPEAKS)
    assert isinstance(crew.end(), RunResult)
    assert len(lost) > 1


def test_a_node_that_does_not_answer_is_asked_again(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "_ASK_ANEW_SECONDS", 1.0)
    gate, (node,) = Gate({"torch": version("torch")}, {}), crew.crew._nodes()
    there = gate._version
    gate._version = Nowhere(there)
    assert not gate.passes(node)
    gate._version = there
    deadline = time.monotonic() + 60
    while not gate.passes(node):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_other_data_on_a_node_is_refused_by_its_name(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew.crew._shelf, "lot", lambda _: Lot("0" * 64, None))
    crew.begin(trainings.SPEAKS)
    trouble = crew.end()
    assert trouble.failure == "input"
    assert trouble.error.argument == "data.root"
    assert trouble.error.rule.startswith(
        f"every node must have the agent's data (00000000), and node {os.uname().nodename} has other ("
    )
    assert crew.moved == []


def test_a_node_that_joins_is_used_and_one_that_leaves_costs_only_its_training(crew: Crew, cluster: Any) -> None:
    """What imports take on a busy machine is not the crew's: the head's own worker says how long that is."""
    begun = time.monotonic()
    for member in list(crew.crew._members):  # a new one, to see how long that takes
        crew.crew._lose(member, "let go")
    crew.listen()
    crew.until(lambda: crew.crew.size == 1)
    usual = time.monotonic() - begun
    node = cluster.add_node(num_cpus=1)
    joined = time.monotonic()
    crew.until(lambda: crew.crew.size == 2)
    assert time.monotonic() - joined < USED_SECONDS + usual
    long = crew.begin(trainings.HANGS)
    crew.begin(trainings.LASTS)
    there = {member.task.slot.number: member.node.id for member in crew.crew._members if member.task is not None}
    assert len(set(there.values())) == 2
    gone = trainings.HANGS if there[trainings.HANGS] == node.node_id else trainings.LASTS
    cluster.remove_node(node, allow_graceful=False)
    trouble = crew.end()
    assert (trouble.failure, crew.crew.size) == ("infra", 1)
    if gone == trainings.HANGS:
        assert isinstance(crew.end(), RunResult)
    else:
        assert crew.crew.where(long.slot) != ""
        crew.crew._lose(crew.crew._members[0], "let go")
        crew.end()


def test_a_node_with_other_software_is_refused_by_its_name_after_what_is_under_way(
    crew: Crew, cluster: Any, tmp_path: Path
) -> None:
    other = tmp_path / "optuna-4.0.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: optuna\nVersion: 4.0.0\n")
    crew.begin(trainings.LASTS)
    node = cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": str(tmp_path)})
    try:
        assert isinstance(crew.end(), RunResult)
        assert {member.node.id for member in crew.crew._members if member.task} == set()
        with pytest.raises(InputError) as caught:
            crew.until(lambda: False)
    finally:
        cluster.remove_node(node)
        crew.crew._refused = None
    assert caught.value.rule.startswith(
        f"every node must have the agent's software, and {os.uname().nodename} has optuna 4.0.0 (here 5"
    )
    assert caught.value.remedy.startswith("there, pip install optuna==5")


SMALL = {
    "base": {
        "data": {"name": "digits", "batch_size": 64},
        "model": {"latents": 32, "rule": {"name": "top_k", "k": 4}, "selection": "float32"},
        "trainer": {"steps": 6},
        "tracking": {"mode": "offline"},
    }
}


def outcome(bench: Bench) -> list[dict[str, Any]]:
    """Everything that a sweep comes to, but for how long it took and who was lost."""
    return [
        {
            **{name: value for name, value in row.items() if name != "attempts"},
            "metrics": {name: value for name, value in row["metrics"].items() if not name.startswith("time/")},
        }
        for row in rows(*bench.read())
    ]


def test_a_whole_sweep_comes_to_the_same_table_though_a_worker_is_killed(cluster: Any, tmp_path: Path) -> None:
    benches = {}
    for who in ("alone", "ray"):
        (tmp_path / who).mkdir()
        benches[who] = Bench(tmp_path / who)
        benches[who].write(SMALL)
    assert benches["alone"].run(train_task) == 0
    ray = benches["ray"]
    node = cluster.add_node(num_cpus=2)  # the other is busy with the crew of the tests above
    means = Means(3, Cluster(address=cluster.address))
    assert run_sweep(ray.spec, ray.out, means=means, train=trainings.killed_once).trouble is None
    cluster.remove_node(node)
    assert outcome(ray) == outcome(benches["alone"])
    assert [row["slot"] for row in rows(*ray.read()) if row["attempts"] == 2] == [1]
    folder = ray.folder / "adam" / "search-1" / "attempt-1"
    assert {path.name for path in folder.iterdir()} >= {"result.json", "metrics.jsonl", "config.yaml", "wandb"}
    assert list(folder.glob("wandb/offline-run-*/run-*.wandb"))
    assert not [path for path in ray.folder.rglob("*") if path.is_symlink()]


ROWS = {"config.yaml", "metrics.jsonl", "result.json"}


@pytest.mark.parametrize(("keep", "there"), [("weights", {*ROWS, "model.safetensors"}), ("nothing", ROWS)])
def test_so_much_of_a_folder_comes_home(
    keep: str, there: set[str], cluster: Any, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spadam.cli import main

    bench.write(merge(SMALL, {"search": {"trials": 2}, "repeat": {"seeds": 0}}))
    node = cluster.add_node(num_cpus=1)
    arguments = ["--crew", "ray", "--ray-address", cluster.address, "--keep", keep]
    monkeypatch.setattr(sys, "argv", ["spadam", "sweep", "run", str(bench.spec), "--out", str(bench.out), *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    cluster.remove_node(node)
    assert left.value.code in (None, 0)
    folders = [folder for variant in ("adam", "lazy") for folder in (bench.folder / variant).glob("search-*/attempt-*")]
    assert len(folders) == 4
    for folder in folders:
        assert {path.name for path in folder.iterdir()} == there
    assert (bench.folder / "report.html").exists(), "the page needs no weights"


def test_signals_are_heard_as_before(cluster: Any) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with connected(cluster.address):
        assert signal.getsignal(signal.SIGTERM) is before
