"""A sweep from its file to its end: what is trained, in which order, and what stands where."""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from spadam import kernels
from spadam.spec import InputError
from spadam.sweep.outcome.table import rows
from spadam.sweep.running.task import Task
from spadam.sweep.store.connection import open_file
from spadam.sweep.store.studies import Studies
from spadam.sweep.store.trouble import SweepTaken
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support import sweep_quadratic as quadratic
from support.sweep_bench import Bench

TPE = {"search": {"sampler": "tpe", "trials": 11, "lag": 2}, "repeat": {"seeds": 1}}


class Log:
    """Trains as ``quadratic`` does, and remembers the tasks."""

    def __init__(self, act: Callable[[Task], RunResult | None] = lambda task: None) -> None:
        self.tasks: list[Task] = []
        self._act = act

    def __call__(self, task: Task, progress: Callable[[Progress], None]) -> RunResult:
        self.tasks.append(task)
        return self._act(task) or quadratic.train(task, progress)

    @property
    def slots(self) -> list[tuple[str, str]]:
        return [(task.slot.variant, task.slot.label) for task in self.tasks]


def test_searches_take_turns_then_repeats(bench: Bench) -> None:
    log = Log()
    assert bench.run(log) == 0
    search = [(variant, f"search-{n}") for n in range(3) for variant in ("adam", "lazy")]
    repeat = [(variant, f"repeat-{n}") for n in range(2) for variant in ("adam", "lazy")]
    assert log.slots == search + repeat


def test_the_folder(bench: Bench) -> None:
    bench.run()
    attempts = {str(path.relative_to(bench.folder)) for path in bench.folder.glob("*/*/*")}
    slots = ["search-0", "search-1", "search-2", "repeat-0", "repeat-1"]
    assert attempts == {f"{variant}/{slot}/attempt-0" for variant in ("adam", "lazy") for slot in slots}
    assert {path.name for path in bench.folder.iterdir()} == {".lock", "sweep.db", "trials.csv", "adam", "lazy"}


def test_further_studies_have_folders_seeds_and_points_of_their_own(bench: Bench) -> None:
    bench.write({"search": {"studies": 2}})
    log = Log()
    assert bench.run(log) == 0
    assert len(log.tasks) == 2 * 2 * (3 + 2)
    assert len({task.out for task in log.tasks}) == 20
    seeds = {task.slot.label: task.config.seed for task in log.tasks if task.slot.variant == "adam"}
    assert seeds == {f"search-{n}": 0 for n in range(3)} | {f"search-s1-{n}": 1 for n in range(3)} | {
        "repeat-0": 10_000,
        "repeat-1": 10_001,
        "repeat-s1-0": 20_000,
        "repeat-s1-1": 20_001,
    }


def test_repeats_have_the_parameters_of_the_best(bench: Bench) -> None:
    log = Log()
    bench.run(log)
    for variant in ("adam", "lazy"):
        mine = [task for task in log.tasks if task.slot.variant == variant]
        best = min((task for task in mine if task.slot.phase == "search"), key=quadratic.bowl)
        for task in mine:
            if task.slot.phase == "repeat":
                assert (task.config.optimizer, task.config.model) == (best.config.optimizer, best.config.model)
                assert task.config.seed >= 10_000


def test_a_damaged_storage_is_refused_and_left_alone(bench: Bench) -> None:
    bench.folder.mkdir(parents=True)
    (bench.folder / "sweep.db").write_bytes(b"no storage")
    with pytest.raises(InputError, match=r"must be the storage of a sweep \(file is not a database\)"):
        bench.run()
    assert (bench.folder / "sweep.db").read_bytes() == b"no storage"


def test_maximize(bench: Bench) -> None:
    bench.write({"objective": {"direction": "maximize"}})
    log = Log()
    bench.run(log)
    search = [task for task in log.tasks if task.slot.phase == "search" and task.slot.variant == "adam"]
    repeat = next(task for task in log.tasks if task.slot.phase == "repeat" and task.slot.variant == "adam")
    assert repeat.config.optimizer == max(search, key=quadratic.bowl).config.optimizer


def test_the_same_command_again_changes_nothing(bench: Bench) -> None:
    bench.write(TPE)
    assert bench.run() == 0
    before, said = bench.files(), bench.said.getvalue()
    assert bench.run(Log(lambda task: pytest.fail("nothing is left to train"))) == 0
    assert bench.files() == before  # the storage and trials.csv too
    assert bench.said.getvalue() == said


def test_what_optuna_shows(bench: Bench) -> None:
    bench.write(TPE)
    bench.run()
    with open_file(bench.folder / "sweep.db") as storage:
        names = {summary.study_name for summary in optuna.get_all_study_summaries(storage=storage)}
        study = optuna.load_study(study_name="lr-eps/adam/search-0", storage=storage)
        sweep = optuna.load_study(study_name="lr-eps", storage=storage)
    assert names == {"lr-eps"} | {f"lr-eps/{v}/{s}" for v in ("adam", "lazy") for s in ("search-0", "repeat")}
    assert not sweep.trials
    assert set(sweep.user_attrs) == {"spec", "plan", "versions", "data", "under_way"}
    assert [trial.user_attrs["slot"] for trial in study.trials] == [f"search-0/{n}" for n in range(11)]
    for trial in study.trials:
        assert trial.state == TrialState.COMPLETE
        result = trial.user_attrs["result"]
        assert set(trial.params) == {"optimizer.lr", "optimizer.eps"}
        assert result["config"]["optimizer"]["lr"] == trial.params["optimizer.lr"]
        assert result["metrics"]["val/fvu"] == trial.value


def test_only_some_variants(bench: Bench) -> None:
    log = Log()
    assert bench.run(log, variants=["lazy"]) == 0
    assert {task.slot.variant for task in log.tasks} == {"lazy"}
    assert "adam" not in bench.said.getvalue()
    rest = Log()
    assert bench.run(rest) == 0
    assert {task.slot.variant for task in rest.tasks} == {"adam"}


def test_a_second_agent_says_so_and_leaves(bench: Bench) -> None:
    refusals: list[str] = []

    def second(task: Task) -> None:
        before = bench.files()
        said, told = bench.said, bench.told
        with pytest.raises(SweepTaken, match="another agent works in") as caught:
            bench.run()
        bench.said, bench.told = said, told
        assert bench.files() == before
        refusals.append(str(caught.value))

    assert bench.run(Log(second)) == 0
    assert len(refusals) == 10
    assert f": process {os.getpid()} on " in refusals[0]
    assert "since 20" in refusals[0]


def test_a_lock_file_that_was_left_behind_is_no_lock(bench: Bench) -> None:
    bench.folder.mkdir(parents=True)
    (bench.folder / ".lock").write_text("4711")
    assert bench.run() == 0
    with (bench.folder / ".lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_reader_in_another_terminal_sees_what_runs(bench: Bench) -> None:
    seen: list[list[str]] = []

    def look(task: Task) -> None:
        seen.append([row["status"] for row in rows(*bench.read()) if row["variant"] == "adam"])

    bench.run(Log(look))
    assert seen[0] == ["running"] + ["waiting"] * 4
    assert seen[2] == ["complete", "running"] + ["waiting"] * 3
    assert seen[-2] == ["complete"] * 4 + ["running"]


def test_other_data_is_refused(bench: Bench) -> None:
    import numpy as np

    file = bench.spec.parent / "x.npy"
    np.save(file, np.arange(800, dtype=np.float32).reshape(100, 8))
    data = {"name": "array", "file": "x.npy", "root": str(bench.spec.parent), "batch_size": 16}
    bench.write({"base": {"data": data}})
    assert bench.run() == 0
    np.save(file, np.arange(1, 801, dtype=np.float32).reshape(100, 8))
    with pytest.raises(InputError, match="other data"):
        bench.run()


def test_a_folder_with_an_odd_name(tmp_path: Path) -> None:
    name = "50% a?b=c#d &{e} ü"
    (tmp_path / name).mkdir()
    bench = Bench(tmp_path / name)
    bench.write({"search": {"trials": 1}, "repeat": {"seeds": 0}})
    assert bench.run() == 0
    with contextlib.closing(sqlite3.connect(bench.folder / "sweep.db")) as there:
        assert there.execute("select count(*) from trials").fetchone() == (2,)
    assert all(row["status"] == "complete" for row in rows(*bench.read()))


def test_accelerator_and_kernels_are_decided_once(bench: Bench) -> None:
    log = Log()
    bench.run(log)
    with open_file(bench.folder / "sweep.db") as storage:
        plan = Studies(storage, "lr-eps", "minimize").attributes()["plan"]
    assert {task.config.trainer.accelerator for task in log.tasks} == {plan["accelerator"]}
    assert plan["accelerator"] in ("cpu", "gpu")
    assert {task.config.trainer.kernels for task in log.tasks} == {plan["kernels"]} == {"compiled"}


def test_a_sweep_goes_on_with_the_kernels_that_it_began_with(bench: Bench) -> None:
    bench.write({"search": {"trials": 2}, "repeat": {"seeds": 0}})
    with kernels.use("reference"):
        bench.run(Log())
    bench.write({"search": {"trials": 3}, "repeat": {"seeds": 0}})
    log = Log()
    bench.run(log)
    assert {task.config.trainer.kernels for task in log.tasks} == {"reference"}
