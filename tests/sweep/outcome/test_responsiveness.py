"""What is said of a design, from the file to verdicts.json: naive numbers, and why nothing is said of another sweep."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from spadam.report import write
from spadam.statistics.interval import estimate
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.responsiveness import responses
from spadam.sweep.running.task import Task
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support import sweep_design as designed
from support.sweep_bench import Bench
from support.sweep_quadratic import finish

LR, EPS = "optimizer.lr", "optimizer.eps"


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return ran(Bench(tmp_path_factory.mktemp("line")), **designed.LINE)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return ran(Bench(tmp_path_factory.mktemp("plane")), **designed.PLANE)


def ran(bench: Bench, train: Callable[..., Any] = designed.train, **instead: Any) -> Outcome:
    bench.write(**instead)
    assert bench.run(train) == 0, bench.told.getvalue()
    return bench.outcome()


def told(outcome: Outcome, variant: str) -> dict[str, Any]:
    (found,) = [one for one in outcome.verdicts()["responsiveness"] if one["variant"] == variant]
    return found


def table(outcome: Outcome, variant: str) -> dict[float, list[float]]:
    """By lr the value of every seed; one that diverged has what the worst of all trainings had."""
    rows = [row for row in outcome.trials() if row["variant"] == variant]
    finite = [row["value"] for row in outcome.trials() if row["value"] is not None]
    worst = max(*finite, designed.START)
    found: dict[float, dict[int, float]] = {}
    for row in rows:
        value = worst if row["status"] == "diverged" else row["value"]
        found.setdefault(row["params"][LR], {})[row["seed"]] = value
    return {lr: [values for _, values in sorted(here.items())] for lr, here in sorted(found.items())}


def why(outcome: Outcome) -> set[str]:
    assert outcome.responses.found == ()
    assert "responsiveness" not in outcome.verdicts()
    assert list(outcome.responses.missing) == list(outcome.sweep.variants)
    return set(outcome.responses.missing.values())


@pytest.mark.parametrize("variant", ["adam", "lazy"])
def test_the_numbers_of_a_line_are_those_of_a_naive_sum(line: Outcome, variant: str) -> None:
    found, values = told(line, variant), table(line, variant)
    lrs, logs = list(values), np.log(list(values.values()))
    assert logs.shape == (9, 3)
    assert (found["metric"], found["seeds"]) == ("val/fvu", 3)
    assert found["diverged"] == (4 if variant == "adam" else 0)
    means = logs.mean(axis=1)
    best = int(means.argmin())
    assert found["best"] == pytest.approx({LR: lrs[best]})
    squares = {"optimizer.lr": 3 * ((means - means.mean()) ** 2).sum(), "seed": 9 * logs.mean(axis=0).var() * 3}
    total = logs.var() * logs.size
    assert {term["name"]: term["share"] for term in found["variance"]} == pytest.approx(
        {**{name: of / total for name, of in squares.items()}, "residual": 1 - sum(squares.values()) / total}
    )
    rises = (logs[best + 1] - logs[best - 1]) / 1.0
    expected = estimate(list(rises))
    assert expected is not None
    at_best = found["slope_at_best"]
    assert (at_best["slope"], at_best["half"]) == pytest.approx((expected.mean, expected.half))
    assert (at_best["n"], at_best["side"]) == (3, "both")
    above = next(n for n, lr in enumerate(lrs) if lr > 3e-3)  # the centre of both optimizers, between two levels
    between = (logs[above] - logs[above - 1]) / 0.5
    assert found["slope_at_default"]["slope"] == pytest.approx(between.mean())
    assert found["slope_at_default"]["lr"] == 3e-3
    assert found["default"] == pytest.approx({LR: lrs[above]})


def test_a_sensitivity_is_the_mean_excess_over_the_lr_that_are_there(line: Outcome) -> None:
    values = table(line, "lazy")
    logs = np.log10(list(values))
    mean = np.minimum(list(values.values()), designed.START).mean(axis=1)
    own, shared = told(line, "lazy")["lr_sensitivity"], told(line, "lazy")["lr_sensitivity_common"]
    inside = logs >= logs[int(mean.argmin())] - 1.5 - 1e-9
    for found, which in ((own, inside), (shared, np.full(9, True))):
        y, x = mean[which], logs[which]
        expected = np.sum((y[1:] + y[:-1]) / 2 * np.diff(x)) / (x[-1] - x[0]) - y.min()
        assert found["value"] == pytest.approx(expected)
        assert (found["low"], found["high"]) == pytest.approx((10 ** x[0], 0.1))
    assert (own["whole"], shared["whole"]) == (False, True)


def test_deviation_and_width_are_those_the_trainings_were_made_with(line: Outcome) -> None:
    for variant in ("adam", "lazy"):
        found = told(line, variant)
        assert found["seed_deviation"] == pytest.approx(0.01, rel=0.5)
        assert found["width"]["decades"] == pytest.approx(2 * math.sqrt(math.log(1.05) / 0.3), rel=0.3)
        assert not found["width"]["open_below"]
        assert not found["width"]["open_above"]


def test_an_axis_that_does_nothing_is_told_from_one_that_does(plane: Outcome) -> None:
    for variant in ("adam", "lazy"):
        found = told(plane, variant)
        does = {(knob["axis"], knob["around"], knob["low"], knob["high"]): knob["nothing"] for knob in found["knobs"]}
        assert does[EPS, "best", 1e-10, 1e-8] is True
        assert does[EPS, "default", 1e-10, 1e-8] is True
        assert not any(nothing for (axis, *_), nothing in does.items() if axis == LR)
        shares = {term["name"]: term["share"] for term in found["variance"]}
        assert set(shares) == {LR, EPS, f"{LR} x {EPS}", "seed", "residual"}
        assert sum(shares.values()) == pytest.approx(1.0)
        assert found["default"] == {LR: 1e-3, EPS: 1e-8}


def test_a_grid_of_two_lr_is_a_paired_test(bench: Bench) -> None:
    two = {"optimizer.lr": {"choices": [1e-4, 1e-2]}}
    outcome = ran(bench, **{**designed.LINE, "space": two})
    found, values = told(outcome, "lazy"), table(outcome, "lazy")
    test = scipy.stats.ttest_rel(*np.log(list(values.values())))
    assert found["variance"][0]["p"] == pytest.approx(test.pvalue)
    assert found["slope_at_best"]["side"] == "below"
    assert found["width"]["open_above"]


@pytest.mark.parametrize(("eps", "default"), [(1e-3, None), (3e-8, {LR: 3e-3, EPS: 3e-8, "model.tied": "False"})])
def test_an_eps_of_zero_is_the_lowest_and_names_are_not_ordered(bench: Bench, eps: float, default: Any) -> None:
    def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        optimizer, seed = task.config.optimizer, task.slot.seed
        return finish(task, 0.1 + (optimizer.eps == 0) + 0.1 * task.config.model.tied + 0.001 * seed + optimizer.lr)

    space = {LR: {"choices": [3e-3, 3e-5]}, EPS: {"choices": [eps, 0.0]}, "model.tied": {"choices": [True, False]}}
    variants = {"adam": {"optimizer": {"name": "adam"}}}
    search = {"sampler": "grid", "studies": 2}
    outcome = ran(bench, train, **{**designed.LINE, "search": search, "space": space, "variants": variants})
    found = told(outcome, "adam")
    axes = dict(zip(outcome.responses.found[0].design.axes, outcome.responses.found[0].design.levels, strict=True))
    assert axes[EPS] == (-math.inf, math.log10(eps))
    assert found["best"] == {LR: 3e-5, EPS: eps, "model.tied": "False"}
    assert found["default"] == default
    assert {knob["axis"] for knob in found["knobs"]} == {LR}
    assert found["lr_sensitivity_common"] is None
    json.dumps(found, allow_nan=False)


def test_verdicts_hold_plain_values(plane: Outcome, tmp_path: Path) -> None:
    write(plane, tmp_path)
    assert json.loads((tmp_path / "verdicts.json").read_text()) == plane.verdicts()


def test_another_metric_may_be_asked_for(line: Outcome) -> None:
    other = responses(line.sweep, line.searches, "test/fvu").found[0]
    assert other.metric == "test/fvu"
    assert other.sensitivity is None  # no evaluation holds it before the first step
    assert other.width == line.responses.found[0].width
    missing = responses(line.sweep, line.searches, "val/fvu_median_sample").missing
    assert missing == {
        "adam": "23 of 27 trainings without a finite val/fvu_median_sample",
        "lazy": "27 of 27 trainings without a finite val/fvu_median_sample",
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"search": {"sampler": "qmc", "trials": 2, "studies": 2}}, "set search.sampler: grid"),
        ({"search": {"sampler": "grid"}}, "one seed a point: set search.studies: 3"),
        ({"space": {EPS: {"choices": [1e-9, 1e-8]}}}, "optimizer.lr is not searched over numbers above 0"),
        ({"space": {LR: {"choices": [1e-3]}}}, "optimizer.lr is not searched over numbers above 0"),
        (
            {"objective": {"metric": "probe/online_accuracy", "direction": "maximize"}},
            "probe/online_accuracy is no error",
        ),
        ({"objective": {"pareto": ["val/fvu", "sparsity/l0_eval"]}}, "several metrics are compared"),
    ],
)
def test_every_other_sweep_says_what_it_lacks(bench: Bench, changes: dict[str, Any], reason: str) -> None:
    bench.write(**{**designed.LINE, "space": {LR: {"choices": [1e-4, 1e-3]}}, **changes})
    (said,) = set(responses(bench.load(), ()).missing.values())
    assert reason in said


@pytest.mark.parametrize(
    ("value", "status", "reason"),
    [
        (0.0, "complete", "a val/fvu of 0 has no logarithm"),
        (None, "complete", "2 of 4 trainings without a finite val/fvu"),
        (None, "diverged", "all trainings diverged"),
        (0.5, "pruned", "trials were pruned: set search.pruner: none"),
    ],
)
def test_trainings_without_a_logarithm_say_so(bench: Bench, value: float | None, status: str, reason: str) -> None:
    def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        first = task.slot.number == 0 and status == "complete"  # without a value a first training ends the sweep
        return finish(task, value or (0.5 if first else value), status)

    search = {"sampler": "grid", "studies": 2, "pruner": "median"}
    outcome = ran(bench, train, **{**designed.LINE, "search": search, "space": {LR: {"choices": [1e-4, 1e-3]}}})
    assert why(outcome) == {reason}


def test_only_complete_studies_count(bench: Bench) -> None:
    bench.write(**{**designed.LINE, "space": {LR: {"choices": [1e-4, 1e-3]}}})
    left = iter(range(9))

    def stopping(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return designed.train(task, progress)

    assert bench.run(stopping) == 1
    outcome = bench.outcome()
    assert [one.seeds for one in outcome.responses.found] == [2]
    assert list(outcome.responses.missing.values()) == ["1 of 3 studies complete so far"]
    assert outcome.responses.found[0].common is None
    assert bench.run(designed.train) == 0
    assert [one.seeds for one in bench.outcome().responses.found] == [3, 3]
