"""Trainings that come to nothing: each is what it is called, the sweep goes on, none is best, and all are seen."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spadam import report
from spadam.spec import InputError, dump, merge
from spadam.sweep.outcome.status import status
from spadam.sweep.outcome.table import rows
from spadam.sweep.running.task import train as train_task
from spadam.sweep.store.connection import open_file
from spadam.sweep.store.studies import Studies
from support import hopeless
from support.sweep_bench import SPEC, Bench

pytestmark = pytest.mark.filterwarnings("ignore:.*overflow.*", "ignore:.*invalid value.*")

TRAINER = {"epochs": None, "steps": 8, "checkpoint_every": 2, "kernels": "reference"}


def custom(name: str) -> dict[str, Any]:
    return {"optimizer": {"name": "custom", "path": f"support.hopeless.{name}", "gradient": "dense", "lr": 1e-3}}


def write(bench: Bench, variants: dict[str, Any], **changes: Any) -> None:
    spec = merge(SPEC, {"base": {"trainer": TRAINER, "probe": None}, "repeat": {"seeds": 1}})
    space = {"optimizer.lr": {"low": 1e-3, "high": 1e-1, "log": True}}
    bench.spec.write_text(dump({**spec, "space": space, "variants": variants, **changes}))


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(tmp_path_factory.mktemp("swept"))
    kinds = {"nan": custom("ToNaN"), "explodes": custom("Explodes"), "still": custom("WithoutGradient")}
    variants = {"adam": {"optimizer": {"name": "adam"}}, **kinds}
    write(bench, variants, search={"sampler": "random", "trials": 2, "seed": 0})
    assert bench.run(train_task, workers=2) == 0
    return bench


def test_each_is_called_what_it_is_and_the_sweep_comes_to_its_end(swept: Bench) -> None:
    found = rows(*swept.read())
    by_variant = {name: {row["status"] for row in found if row["variant"] == name} for name in swept.load().variants}
    assert by_variant == {"adam": {"complete"}, "nan": {"diverged"}, "explodes": {"diverged"}, "still": {"complete"}}
    assert {row["attempts"] for row in found} == {1}, "what diverges is a result, and not tried again"
    assert status(*swept.read())["done"]


def test_what_diverged_is_never_best_and_has_no_repeats(swept: Bench) -> None:
    outcome = swept.outcome()
    for variant in ("nan", "explodes"):
        assert not [row for row in outcome.repeats() if row["variant"] == variant]
        assert {row["value"] for row in outcome.trials() if row["variant"] == variant} == {None}
        with pytest.raises(InputError, match="no trial"):
            outcome.best(variant)
    assert outcome.best("adam").optimizer.name == "adam"
    said = swept.said.getvalue()
    assert "nan, explodes: no trial has a finite val/fvu, so there is nothing to repeat" in said
    assert "nan, explodes: 2 of 2 trials of study 0 diverged" in said


def test_what_is_told_of_it_is_finite(swept: Bench) -> None:
    with open_file(swept.folder / "sweep.db") as storage:
        records = Studies(storage, "lr-eps", "minimize").records("nan", 1).values()
    (first, *_) = (record.result for record in records)
    assert first is not None
    seen = [row["val/fvu"] for row in first.evaluations if row["val/fvu"] is not None]
    assert {record.objective for record in records} == {max(seen)}


def test_a_metric_that_never_changes_is_a_result(swept: Bench) -> None:
    trials = [row for row in swept.outcome().trials() if row["variant"] == "still"]
    assert len({row["value"] for row in trials}) == 1, "the same weights, whatever the lr"
    assert swept.outcome().best("still")
    for folder in swept.folder.glob("still/search-*/attempt-0"):
        evaluated = json.loads((folder / "result.json").read_text())["evaluations"]
        assert len({row["val/fvu"] for row in evaluated}) == 1


def test_the_page_shows_them(swept: Bench) -> None:
    page = report.write(swept.outcome()).read_text()
    assert "diverged" in page
    for variant in ("nan", "explodes", "still"):
        assert variant in page


@pytest.mark.parametrize("sampler", ["random", "tpe", "gp"])
def test_one_good_setting_among_those_that_diverge_is_the_best(bench: Bench, sampler: str) -> None:
    space = {"optimizer.lr": {"choices": [1e-2, 1e20]}}
    search = {"sampler": sampler, "trials": 6, "seed": 1, "lag": 1}
    write(bench, {"sgd": {"optimizer": {"name": "sgd"}}}, space=space, search=search)
    assert bench.run(train_task) == 0
    trials = bench.outcome().trials()
    assert {row["status"] for row in trials} == {"complete", "diverged"}
    assert bench.outcome().best("sgd").optimizer.lr == 1e-2
    assert {row["status"] for row in bench.outcome().repeats()} == {"complete"}


def test_data_that_are_all_the_same_are_told_as_that(bench: Bench, tmp_path: Path) -> None:
    """Nothing varies, so nothing of it can be explained: the objective is null in every training."""
    np.save(tmp_path / "same.npy", np.ones((400, 8), np.float32))
    data = {"name": "array", "root": str(tmp_path), "file": "same.npy", "batch_size": 32}
    base = {**SPEC["base"], "data": data, "trainer": TRAINER, "probe": None}
    write(bench, {"adam": {"optimizer": {"name": "adam"}}}, base=base)
    assert bench.run(train_task) == 1
    assert "the objective val/fvu came out as null" in bench.told.getvalue()
    assert "Traceback" not in bench.told.getvalue()


TWO = {"adam": {"optimizer": {"name": "adam"}}, "lazy": {"optimizer": {"name": "lazy_adam"}}}


def values(bench: Bench) -> list[Any]:
    return [(row["variant"], row["phase"], row["slot"], row["status"], row["value"]) for row in rows(*bench.read())]


@pytest.mark.parametrize("workers", [0, 2])
def test_out_of_memory_once_is_tried_again_and_changes_nothing(bench: Bench, workers: int, tmp_path: Path) -> None:
    write(bench, TWO)
    assert bench.run(hopeless.no_memory_once, workers=workers) == 0
    (tmp_path / "whole").mkdir()
    whole = Bench(tmp_path / "whole")
    write(whole, TWO)
    assert whole.run(train_task) == 0
    assert values(bench) == values(whole)
    hit = {(row["phase"], row["slot"]): row["attempts"] for row in rows(*bench.read())}
    assert {place for place, attempts in hit.items() if attempts == 2} == {("search", 1)}
    told = bench.told.getvalue()
    assert told.count("failed (infra): out of memory (") == 2
    result = json.loads((bench.folder / "adam" / "search-1" / "attempt-1" / "result.json").read_text())
    assert result["provenance"]["resumed"] == [{"step": 2, "damaged": []}]


def test_what_never_fits_ends_with_a_sentence_and_the_same_command_goes_on(bench: Bench) -> None:
    write(bench, TWO)
    assert bench.run(hopeless.no_memory_ever, workers=1) == 1
    told = bench.told.getvalue()
    assert "4 attempts have failed (out of memory (" in told
    assert "fewer workers at a time leave more for each" in told
    assert "Traceback" not in told
    assert bench.run(train_task, workers=1) == 0, "when there is room"
    assert {row["status"] for row in rows(*bench.read())} == {"complete"}
