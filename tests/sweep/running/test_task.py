"""Slots as real trainings: digits, through train.run and the storage to the table."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import spadam.training.run
from spadam.sweep.outcome.progress import recall
from spadam.sweep.outcome.table import best_config, rows
from spadam.sweep.running.task import Task
from spadam.sweep.running.task import train as train_task
from spadam.sweep.search.objective import objective_of
from spadam.sweep.search.slots import search_slots
from spadam.sweep.store.connection import open_file
from spadam.sweep.store.studies import StorageReader
from spadam.training.curve import Pruning
from spadam.training.gradient_scale import gradient_rms
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support.sweep_bench import Bench

DIGITS = {
    "base": {
        "data": {"name": "digits", "batch_size": 32},
        "model": {"latents": 32, "rule": {"name": "top_k", "k": 4}},
        "trainer": {"epochs": None, "steps": 8},
    },
    "search": {"trials": 2},
    "repeat": {"seeds": 1},
}


def write(bench: Bench, **changes: Any) -> None:
    from spadam.spec import dump, merge
    from support.sweep_bench import SPEC

    bench.spec.write_text(dump({**SPEC, **{key: merge(SPEC[key], value) for key, value in DIGITS.items()}, **changes}))


def test_digits_from_the_file_to_the_table(bench: Bench) -> None:
    write(bench)
    assert bench.run(train_task) == 0
    table = rows(*bench.read())
    assert [row["status"] for row in table] == ["complete"] * 6
    for row in table:
        folder = bench.folder / row["variant"] / f"{row['phase']}-{row['slot']}" / "attempt-0"
        assert {"result.json", "metrics.jsonl", "model.safetensors", "config.yaml"} <= {
            p.name for p in folder.iterdir()
        }
        assert json.loads((folder / "result.json").read_text())["metrics"] == row["metrics"]
        assert row["value"] == row["metrics"]["val/fvu"] > 0
        tests = [name for name in row["metrics"] if "test" in name]
        assert bool(tests) == (row["phase"] == "repeat"), "test metrics are for repeats only"
        assert ("probe/val_accuracy" in row["metrics"]) == (row["phase"] == "repeat")
    assert "val/fvu" in bench.said.getvalue()
    before = bench.files()
    assert bench.run(train_task) == 0
    assert bench.files() == before


RELATIVE = {
    "optimizer.lr": {"around": 1e-2, "decades": 2},
    "optimizer.eps_rel": {"low": 1e-2, "high": 10.0, "log": True},
}


@pytest.mark.parametrize("space", [{}, {"space": RELATIVE}], ids=["plain", "relative"])
def test_the_best_configuration_trains_to_the_same_value(bench: Bench, tmp_path: Path, space: Any) -> None:
    write(bench, **space)
    assert bench.run(train_task, variants=["lazy"]) == 0
    sweep, searches = bench.read()
    config = best_config(sweep, searches, "lazy")
    result = spadam.training.run.run(config, tmp_path / "again")
    values = [row["value"] for row in rows(sweep, searches) if row["variant"] == "lazy" and row["phase"] == "search"]
    assert result.metrics["val/fvu"] == min(values)


def test_a_relative_eps_is_that_of_the_gradient_which_is_stored(bench: Bench) -> None:
    write(bench, space=RELATIVE)
    assert bench.run(train_task) == 0
    with open_file(bench.folder / "sweep.db") as storage:
        sweep, searches, attributes = recall(StorageReader(storage), "lr-eps")
    assert len(attributes["gradient_rms"]) == 1, "all that share a model share its scale, repeats too"
    (scale,) = attributes["gradient_rms"].values()
    params = {"optimizer.lr": 1e-2, "optimizer.eps_rel": 1.0}
    assert scale == gradient_rms(sweep.variants["adam"].config(params, sweep.seed, 1.0))
    for record in (record for search in searches for record in (*search.trials, *search.repeats)):
        assert record.owner is not None
        assert record.gradient_rms == scale
        assert record.result is not None
        assert record.result.config["optimizer"]["eps"] == record.owner.params["optimizer.eps_rel"] * scale


def test_what_a_training_is_told_of_its_sweep(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []

    def run(config: Any, out: Path, **given: Any) -> RunResult:
        calls.append(given)
        return RunResult("complete", {"probe/val_accuracy": 0.5}, {}, [], config.plain(), {}, [])

    monkeypatch.setattr(spadam.training.run, "run", run)
    write(bench, objective={"metric": "probe/val_accuracy", "direction": "maximize"})
    assert bench.run(train_task, variants=["lazy"]) == 0
    search, repeat = calls[0], calls[-1]
    assert (search["phase"], search["refit"]) == ("search", True)
    assert (repeat["phase"], repeat["refit"]) == ("repeat", None)
    origin = search["origin"]
    assert origin.run_id.startswith("lr-eps-lazy-search-0-0-")
    assert (origin.name, origin.group, origin.job_type) == ("lazy · search 0", "lr-eps", "search")
    assert origin.tags == ("lazy", "search", "study-0", "digits", "lazy_adam")
    place = {"name": "lr-eps", "variant": "lazy", "phase": "search", "study": 0, "slot": 0}
    assert origin.config["sweep"] == place
    assert repeat["origin"].name == "lazy · repeat 0"
    assert len({call["origin"].run_id for call in calls}) == len(calls) == 3


def test_a_task_with_thresholds_is_cut_short(bench: Bench) -> None:
    write(bench)
    sweep = bench.load()
    config = sweep.variants["lazy"].config({"optimizer.lr": 1e-3, "optimizer.eps": 1e-8}, 0)
    config = config.model_copy(update={"trainer": config.trainer.model_copy(update={"steps": None, "epochs": 3})})
    slot = search_slots(sweep, "lazy")[0]
    pruning = Pruning("val/fvu", "minimize", (None, 0.0))
    result = train_task(Task("s", slot, 0, config, bench.out, sweep.spec.objective, pruning), lambda step: None)
    assert (result.status, len(result.evaluations)) == ("pruned", 2)
    assert objective_of(result, sweep.spec.objective) == result.evaluations[-1]["val/fvu"]


def test_a_retry_goes_on_with_the_run_of_its_slot(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ids: list[str] = []

    def run(config: Any, out: Path, *, origin: Any, **given: Any) -> RunResult:
        ids.append(origin.run_id)
        if len(ids) == 1:
            raise OSError("gone")
        return RunResult("complete", {"val/fvu": 0.5}, {}, [], config.plain(), {}, [])

    monkeypatch.setattr(spadam.training.run, "run", run)
    bench.run(train_task, variants=["adam"])
    assert ids[0] == ids[1] != ids[2]


def test_progress_reaches_the_view(bench: Bench) -> None:
    write(bench)
    steps: list[Progress] = []

    def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        return train_task(task, lambda step: (steps.append(step), progress(step))[1])

    assert bench.run(train, variants=["adam"]) == 0
    assert steps
    assert all(step.total in (8, None) for step in steps)
