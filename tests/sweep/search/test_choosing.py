"""The best mean of several settings: whose trainings count with what, and what comes of ties and of what is missing."""

import itertools
import math
import random
from fractions import Fraction
from typing import Any

import pytest

from spadam.sweep.definition.objective import ObjectiveSpec
from spadam.sweep.search.choosing import Candidate, Chosen, Top, choose, mean_costs, measured
from spadam.sweep.search.objective import Judge, judge
from spadam.training.result import RunResult, Status

FVU, L0 = "val/fvu", "sparsity/l0_eval"
SMALL, LARGE = judge(ObjectiveSpec()), judge(ObjectiveSpec(direction="maximize"))
BANDED = judge(ObjectiveSpec(at={L0: (28, 36)}))


def rows(*values: float) -> list[dict[str, float]]:
    return [{FVU: value} for value in values]


def training(status: Status, *values: float | None) -> RunResult:
    """With an evaluation of each of ``values``, the first at step 0."""
    evaluations = [{"step": step, FVU: value} for step, value in enumerate(values)]
    return RunResult(status, {FVU: values[-1], "val/mse": 0.5}, {}, [], {}, {}, evaluations)


@pytest.mark.parametrize("many", [1, 2, 5, 100])
def test_the_top_is_the_first_of_all_that_differ(many: int) -> None:
    draw = random.Random(many)
    for _ in range(50):
        trials = [Candidate((draw.randrange(9) / 4,), number, f"{draw.randrange(12)}") for number in range(30)]
        top = Top(many)
        for trial in draw.sample(trials, len(trials)):  # whatever order they come in
            top.add(trial)
        naive: list[Candidate] = []
        for trial in sorted(trials):
            if trial.point not in [other.point for other in naive]:
                naive.append(trial)
        assert top.members == naive[:many]


@pytest.mark.parametrize(
    ("ours", "result", "value"),
    [
        (SMALL, training("complete", 2.0, 0.5), 0.5),
        (SMALL, training("diverged", 2.0, 0.5, None), 2.0),
        (SMALL, training("diverged", 2.0, 7.0, None), 7.0),
        (SMALL, training("diverged", 2.0, 7.0, math.inf), 7.0),
        (LARGE, training("diverged", 2.0, 7.0, None), 2.0),
        (SMALL, training("complete", 2.0, 0.5, None), 2.0),
        (SMALL, training("diverged", None, math.nan), None),
    ],
)
def test_a_training_counts_with_its_metrics_or_the_worst_that_was_seen(
    ours: Judge, result: RunResult, value: float | None
) -> None:
    assert measured(ours, result) == (None if value is None else {FVU: value})


@pytest.mark.parametrize(("ours", "best"), [(SMALL, "b"), (LARGE, "a")])
def test_the_best_mean_is_chosen_and_not_the_best_training(ours: Judge, best: str) -> None:
    found = {"a": rows(0.1, 0.9, 0.8), "b": rows(0.4, 0.5, 0.3), "c": rows(0.5, 0.5, 0.5)}
    chosen = choose(ours, {"a": 7, "b": 3, "c": 0}, found)
    assert chosen is not None
    assert chosen.point == best
    mean = float(sum(map(Fraction, (row[FVU] for row in found[best]))) / 3)
    assert chosen.costs == (0.0, mean if ours is SMALL else -mean)


def test_of_equal_means_the_earlier_trial_is_chosen_whatever_its_rank() -> None:
    found = {"ranked first": rows(0.25, 0.75), "earlier": rows(0.5, 0.5)}
    assert choose(SMALL, {"ranked first": 4, "earlier": 2}, found) == Chosen("earlier", (0.0, 0.5))


def test_a_mean_depends_on_no_order() -> None:
    values = [0.1, 0.2, 0.3, 1e16, 1e-16, 1.7e308, 1.7e308]
    assert len({mean_costs(SMALL, rows(*order)) for order in itertools.permutations(values)}) == 1
    assert mean_costs(SMALL, rows(1.7e308, 1.7e308)) == (0.0, 1.7e308)


def test_those_with_most_trainings_are_compared() -> None:
    numbers = {"a": 0, "b": 1, "c": 2}
    assert choose(SMALL, numbers, {}) is None
    assert choose(SMALL, {}, {"a": rows(0.5)}) is None
    assert choose(SMALL, numbers, {"c": rows(0.5), "gone": rows(0.1, 0.1)}) == Chosen("c", (0.0, 0.5))
    some = {"a": rows(0.9, 0.8), "b": rows(0.7, 0.8), "c": rows(0.1)}
    assert choose(SMALL, numbers, some) == Chosen("b", (0.0, 0.75))


def test_what_never_had_the_objective_is_worse_than_anything() -> None:
    numbers = {"a": 0, "b": 1, "c": 2}
    found: dict[str, list[Any]] = {"a": [None, *rows(0.1)], "b": rows(1e20, 1e20), "c": [None, None]}
    assert choose(SMALL, numbers, found) == Chosen("b", (0.0, 1e20))
    assert choose(SMALL, {"a": 0, "c": 2}, found) == Chosen("a", (1.0, 0.1))
    assert choose(SMALL, {"c": 2}, found) == Chosen("c", (2.0,))


def test_within_bands_the_means_must_lie() -> None:
    """One training outside does not lose what lies inside in the mean, and one inside does not win it."""
    inside = [{FVU: 0.5, L0: 27.0}, {FVU: 0.5, L0: 33.0}]
    outside = [{FVU: 0.1, L0: 36.0}, {FVU: 0.1, L0: 38.0}]
    nearer = [{FVU: 0.9, L0: 36.5}, {FVU: 0.9, L0: 36.5}]
    chosen = choose(BANDED, {"out": 0, "in": 1}, {"out": outside, "in": inside})
    assert chosen == Chosen("in", (0.0, 0.5))
    nearest = choose(BANDED, {"out": 0, "near": 1}, {"out": outside, "near": nearer})
    assert nearest is not None
    assert nearest.point == "near"
