"""The contract of `status` and `results`, the CSV file, the best configuration, and the numbers in the table."""

import csv
import json
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats

from spadam.config import RunConfig
from spadam.diagnostics.warned import Warned
from spadam.spec import InputError
from spadam.statistics.interval import estimate
from spadam.sweep.outcome.status import status
from spadam.sweep.outcome.summary import summarise
from spadam.sweep.outcome.table import best_config, rows
from spadam.sweep.running.task import Task
from spadam.text import interval
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support import sweep_quadratic as quadratic
from support.sweep_bench import Bench

ROW = {"variant", "slot", "phase", "study", "seed", "status", "params", "value", "metrics", "attempts"}
STATE = {"slots", "accepted", "running", "waiting", "failed"}


def strict(value: object) -> Any:
    """What a reader of the JSON sees."""
    return json.loads(json.dumps(value, allow_nan=False))


def test_before_a_sweep_has_begun(bench: Bench) -> None:
    found = strict(status(*bench.read()))
    waiting = {"slots": 5, "accepted": 0, "running": 0, "waiting": 5, "failed": 0}
    nothing = {"agent": None, "running": [], "failures": [], "seconds_left": None}
    assert found == {"sweep": "lr-eps", "done": False, "variants": {"adam": waiting, "lazy": waiting}, **nothing}
    for row in strict(rows(*bench.read())):
        assert set(row) == ROW
        assert (row["status"], row["params"], row["value"], row["metrics"], row["attempts"]) == (
            "waiting",
            {},
            None,
            {},
            0,
        )
    assert not bench.out.exists()


def test_after_it_has_ended(finished: Bench) -> None:
    found = strict(status(*finished.read()))
    ended = {"slots": 5, "accepted": 5, "running": 0, "waiting": 0, "failed": 0}
    nothing = {"agent": None, "running": [], "failures": [], "seconds_left": 0.0}
    assert found == {"sweep": "lr-eps", "done": True, "variants": {"adam": ended, "lazy": ended}, **nothing}
    table = strict(rows(*finished.read()))
    assert all(set(row) == ROW for row in table)
    assert [(row["variant"], row["phase"], row["study"], row["slot"], row["seed"]) for row in table] == [
        (variant, phase, 0, slot, seed)
        for variant in ("adam", "lazy")
        for phase, slot, seed in [*(("search", n, 0) for n in range(3)), *(("repeat", n, 10_000 + n) for n in range(2))]
    ]
    for row in table:
        assert (row["status"], row["attempts"]) == ("complete", 1)
        assert set(row["params"]) == {"optimizer.lr", "optimizer.eps"}
        assert row["value"] == row["metrics"]["val/fvu"]
        folder = finished.folder / row["variant"] / f"{row['phase']}-{row['slot']}" / "attempt-0"
        assert json.loads((folder / "result.json").read_text())["metrics"] == row["metrics"]


def test_every_slot_is_counted_once_while_it_runs(bench: Bench) -> None:
    seen: list[dict[str, Any]] = []

    def look(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        found = status(*bench.read())
        for state in found["variants"].values():
            assert set(state) == STATE
            assert state["slots"] == 5 == sum(state.values()) - state["slots"]
        assert not found["done"]
        seen.append(found["variants"]["adam"])
        return quadratic.train(task, progress)

    bench.run(look)
    assert seen[0] == {"slots": 5, "accepted": 0, "running": 1, "waiting": 4, "failed": 0}
    assert seen[1] == {"slots": 5, "accepted": 1, "running": 0, "waiting": 4, "failed": 0}


def test_a_metric_that_is_null_is_no_value(bench: Bench) -> None:
    bench.run(lambda task, progress: quadratic.finish(task, None if task.slot.number == 1 else 1.0))
    table = rows(*bench.read())
    assert [row["value"] for row in table if row["slot"] == 1] == [None] * 4
    assert {row["status"] for row in table} == {"complete"}


def test_the_csv_file_says_what_results_say(finished: Bench) -> None:
    with (finished.folder / "trials.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    table = rows(*finished.read())
    assert len(lines) == len(table) == 10
    for line, row in zip(lines, table, strict=True):
        for name in ("variant", "phase", "status"):
            assert line[name] == row[name]
        for name in ("study", "slot", "seed", "attempts"):
            assert int(line[name]) == row[name]
        assert float(line["value"]) == row["value"]
        for name, value in {**row["params"], **row["metrics"]}.items():
            assert float(line[name]) == value
    assert list(lines[0])[:8] == ["variant", "phase", "study", "slot", "seed", "status", "attempts", "value"]


def test_nulls_and_dropped_axes_are_empty_cells(bench: Bench) -> None:
    bench.write({"variants": {"sgd": {"optimizer": {"name": "sgd"}, "space": {"optimizer.eps": None}}}})
    assert bench.run(lambda task, progress: quadratic.finish(task, 1.0, **{"optim/eps_bound": None})) == 0
    with (bench.folder / "trials.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["optim/eps_bound"] for line in lines} == {""}
    assert {line["optimizer.eps"] for line in lines if line["variant"] == "sgd"} == {""}
    assert "" not in {line["optimizer.eps"] for line in lines if line["variant"] == "adam"}


def test_the_best_configuration_is_that_of_the_best_trial(finished: Bench) -> None:
    sweep, searches = finished.read()
    for variant in ("adam", "lazy"):
        config = best_config(sweep, searches, variant)
        search = [row for row in rows(sweep, searches) if row["variant"] == variant and row["phase"] == "search"]
        best = min(search, key=lambda row: row["value"])
        assert config.optimizer.lr == best["params"]["optimizer.lr"]
        assert config.optimizer.eps == best["params"]["optimizer.eps"]
        assert config.seed == best["seed"]
        trained = finished.folder / variant / f"search-{best['slot']}" / "attempt-0" / "result.json"
        there = RunConfig.model_validate_json(json.dumps(json.loads(trained.read_text())["config"]))
        assert there.identity() == config.identity()


def test_best_without_a_result_and_of_an_unknown_variant(bench: Bench, finished: Bench) -> None:
    with pytest.raises(InputError, match="choose one of: adam, lazy") as caught:
        best_config(*finished.read(), "lzy")
    assert caught.value.argument == "variant"
    finished.write({"name": "other"})
    with pytest.raises(InputError, match="no trial of it has a finite val/fvu yet"):
        best_config(*finished.read(), "lazy")


def test_the_interval_is_that_of_student() -> None:
    values = np.random.default_rng(0).normal(3.0, 0.5, 7)
    found = estimate(values.tolist())
    low, high = scipy.stats.t.interval(0.95, len(values) - 1, values.mean(), scipy.stats.sem(values))
    assert found is not None
    assert found.half is not None
    # two ways of summing seven numbers
    assert found.mean == pytest.approx(values.mean(), rel=1e-14)
    assert (found.mean - found.half, found.mean + found.half) == pytest.approx((low, high), rel=1e-12)
    assert estimate([2.0]) == (2.0, None, 1)
    assert estimate([]) is None


def test_the_table_has_the_best_and_its_repeats(finished: Bench) -> None:
    sweep, searches = finished.read()
    table = [row for row in rows(sweep, searches) if row["variant"] == "lazy"]
    line = next(line for line in summarise(sweep, searches) if line.variant == "lazy")
    search = [row for row in table if row["phase"] == "search"]
    best = min(search, key=lambda row: row["value"])
    repeats = [row["value"] for row in table if row["phase"] == "repeat"]
    assert (line.params, line.value) == (best["params"], best["value"])
    assert line.repeats == (estimate(repeats),)
    assert line.columns["test/fvu"].repeats == estimate(
        [row["metrics"]["test/fvu"] for row in table if row["phase"] == "repeat"]
    )
    assert line.columns["sparsity/rows_touched"].mean == 0.25
    assert finished.run() == 0
    said = finished.said.getvalue()
    assert f"{best['value']:.4g}" in said
    assert interval(line.repeats[0]) in said
    assert f"{best['params']['optimizer.lr']:.3g}" in said


def test_warnings_of_trainings_stand_under_the_table(bench: Bench) -> None:
    def warn(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        result = quadratic.train(task, progress)
        share = task.slot.number + task.slot.seed % 7 / 10
        all_touched = Warned("all_rows_touched", "every row was touched")
        few = Warned("few_intermittent_rows", f"{share}% of the rows", {"rows_intermittent": share})
        warned = [all_touched.plain(), few.plain()] if task.slot.variant == "lazy" else []
        return result._replace(warnings=warned)

    assert bench.run(warn) == 0
    said = bench.said.getvalue()
    assert "lazy: every row was touched (its best trial and 2 of 2 repeats)" in said
    assert "lazy: 2 of the 2 other trials of study 0: every row was touched" in said


def test_reading_does_not_import_lightning() -> None:
    code = "import sys, spadam.terminal.sweep, spadam.sweep.running.agent; print('pytorch_lightning' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "False"


def test_several_studies_have_a_line_each(bench: Bench) -> None:
    bench.write({"search": {"studies": 2, "trials": 2}, "repeat": {"seeds": 1}})
    assert bench.run(variants=["adam"]) == 0
    assert "adam (study 1)" in bench.said.getvalue()
    sweep, searches = bench.read()
    values = [row["value"] for row in rows(sweep, searches) if row["variant"] == "adam" and row["phase"] == "search"]
    config = best_config(sweep, searches, "adam")
    best = min(line.value for line in summarise(sweep, searches) if line.value is not None)
    assert best == min(values)
    assert config.seed == (0 if best in values[:2] else 1)
    assert all(math.isfinite(value) for value in values)
