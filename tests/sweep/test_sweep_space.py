import itertools
import math

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import PositiveInt, ValidationError

from spadam.sweep.space import Axis, Range, takes_only_whole_numbers

LOG = Axis("optimizer.lr", Range(low=1e-5, high=1e-1, log=True), whole=False)
LINEAR = Axis("probe.lr", Range(low=0.5, high=2.5), whole=False)
WHOLE = Axis("model.rule.k", Range(low=1, high=4), whole=True)
WHOLE_LOG = Axis("model.latents", Range(low=16, high=256, log=True), whole=True)
CHOICES = Axis("model.tied", Range(choices=(True, False, None)), whole=False)
AXES = (LOG, LINEAR, WHOLE, WHOLE_LOG, CHOICES)


@pytest.mark.parametrize("axis", AXES)
def test_every_value_lies_in_the_range_and_optuna_takes_it(axis: Axis) -> None:
    distribution = axis.distribution()
    for n in range(1000):
        value = axis.at(n / 1000)
        assert distribution._contains(distribution.to_internal_repr(value)), value
    assert axis.at(0.0) == axis.ends()[0]


def test_the_last_u_gives_the_high_end() -> None:
    last = 1 - 2**-53
    assert math.isclose(LOG.at(last), 1e-1)
    assert LOG.at(last) <= 1e-1
    assert WHOLE.at(last) == 4
    assert CHOICES.at(last) is None


def test_equal_shares() -> None:
    # u on an even grid: every decade, whole number and choice gets its share of it, to one grid point
    u = [(n + 0.5) / 1200 for n in range(1200)]
    decades = [math.floor(math.log10(LOG.at(x))) for x in u]
    assert all(abs(decades.count(decade) - 300) <= 1 for decade in (-5, -4, -3, -2))
    assert all(abs([WHOLE.at(x) for x in u].count(k) - 300) <= 1 for k in (1, 2, 3, 4))
    assert all([CHOICES.at(x) for x in u].count(choice) == 400 for choice in (True, False, None))
    assert all(isinstance(WHOLE_LOG.at(x), int) for x in u)


def test_grid_has_both_ends_and_equal_distances() -> None:
    lr = Axis("lr", Range(low=1e-4, high=1e-1, log=True, points=4), whole=False).grid()
    assert lr[0] == 1e-4
    assert lr[-1] == 1e-1
    assert [math.log10(b / a) for a, b in itertools.pairwise(lr)] == pytest.approx([1, 1, 1], rel=1e-12)
    assert Axis("x", Range(low=0.0, high=1.0, points=3), whole=False).grid() == (0.0, 0.5, 1.0)
    assert Axis("k", Range(low=1, high=16, log=True, points=5), whole=True).grid() == (1, 2, 4, 8, 16)
    assert CHOICES.grid() == (True, False, None)


def test_distributions() -> None:
    assert LOG.distribution() == FloatDistribution(1e-5, 1e-1, log=True)
    assert WHOLE_LOG.distribution() == IntDistribution(16, 256, log=True)
    assert CHOICES.distribution() == CategoricalDistribution((True, False, None))


@pytest.mark.parametrize(
    ("range_", "rule"),
    [
        ({"low": 2.0, "high": 1.0}, "low < high must hold, but high is 1.0"),
        ({"low": 1.0, "high": 1.0}, "low < high must hold"),
        ({"low": 0.0, "high": 1.0, "log": True}, "must begin above 0"),
        ({"low": -1.0, "high": 1.0, "log": True}, "must begin above 0"),
        ({"low": 1.0}, "needs low and high"),
        ({}, "needs low and high, or choices"),
        ({"low": 1.0, "high": 2.0, "points": 1}, "at least 2 points"),
        ({"choices": []}, "something to choose from"),
        ({"choices": [1, 2, 1]}, "only once"),
        ({"choices": [1, True]}, "only once"),
        ({"choices": [1], "low": 1.0}, "stand alone"),
        ({"choices": [1], "points": 2}, "stand alone"),
        ({"choices": [1], "log": True}, "stand alone"),
        ({"low": "1", "high": 2.0}, "low"),
        ({"low": True, "high": 2.0}, "low"),
        ({"low": 1.0, "high": float("inf")}, "finite"),
        ({"low": 1.0, "hihg": 2.0}, "hihg"),
    ],
)
def test_wrong_ranges_are_refused(range_: dict[str, object], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        Range.model_validate(range_)


@pytest.mark.parametrize(
    ("annotation", "whole"),
    [(int, True), (PositiveInt | None, True), (float, False), (int | float, False), (bool, False), (str, False)],
)
def test_whole_keys_are_recognised(annotation: object, whole: bool) -> None:
    assert takes_only_whole_numbers(annotation) is whole
