"""An outcome: what a person who writes Python is given of a sweep, wherever it is read from."""

from collections.abc import Callable
from typing import Any

import pytest

from spadam.spec import InputError
from spadam.sweep.outcome.finding import find, in_folder
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.status import status
from spadam.sweep.outcome.table import rows
from spadam.sweep.running.task import Task
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support import sweep_quadratic as quadratic
from support.sweep_bench import Bench


def test_trials_and_repeats_are_the_rows_of_results(finished: Bench) -> None:
    found = in_folder(finished.folder)
    assert [*found.trials(), *found.repeats()] == sorted(
        rows(*finished.read()), key=lambda row: row["phase"] == "repeat"
    )
    assert {row["phase"] for row in found.trials()} == {"search"}
    assert len(found.repeats()) == 4
    assert found.status() == status(*finished.read())
    assert found.done


def test_what_is_done_to_a_row_changes_no_outcome(finished: Bench) -> None:
    found = in_folder(finished.folder)
    found.trials()[0]["metrics"].clear()
    found.status()["variants"].clear()
    assert found.trials()[0]["metrics"]
    assert found.status()["variants"]


def test_the_best_is_a_configuration(finished: Bench) -> None:
    found = in_folder(finished.folder)
    best = min((row for row in found.trials() if row["variant"] == "lazy"), key=lambda row: row["value"])
    config = found.best("lazy")
    assert (config.optimizer.name, config.optimizer.lr) == ("lazy_adam", best["params"]["optimizer.lr"])
    with pytest.raises(InputError, match="choose one of: adam, lazy"):
        found.best("nobody")


def test_a_file_and_a_folder_are_the_same_sweep(finished: Bench) -> None:
    before = finished.files()
    file, folder = find(finished.spec, finished.out), find(finished.folder, finished.out)
    assert file.rows == folder.rows
    assert file.attributes == folder.attributes
    assert file.folder == folder.folder == finished.folder
    assert finished.files() == before


def test_a_file_whose_sweep_has_not_begun(bench: Bench) -> None:
    found = find(bench.spec, bench.out)
    assert (found.done, found.attributes, found.results) == (False, {}, [])
    assert {row["status"] for row in found.trials()} == {"waiting"}
    assert not bench.out.exists()


def test_a_folder_without_a_sweep_is_refused(tmp_path: Any) -> None:
    with pytest.raises(InputError, match="the folder must hold a sweep"):
        find(tmp_path, tmp_path)


def test_a_sweep_that_runs_is_read_and_not_disturbed(bench: Bench) -> None:
    seen: list[Outcome] = []

    def look(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        before = bench.files()
        seen.append(in_folder(bench.folder))
        assert bench.files() == before
        return quadratic.train(task, progress)

    assert bench.run(look) == 0
    assert [row["status"] for row in seen[2].trials()] == ["complete", "running", "waiting"] + ["complete"] + [
        "waiting"
    ] * 2
    assert not any(found.done for found in seen)
    assert len(seen[2].results) == 2
