import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import PositiveInt, ValidationError

from spadam.sweep.definition.space import Axis, Range, takes_only_whole_numbers

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
        ({}, "needs low and high, or around and decades, or choices"),
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
        ({"around": 1e-3}, "a centre needs a width"),
        ({"decades": 4}, "a width needs a centre"),
        ({"around": 1e-3, "decades": 4, "low": 1e-5}, "its bounds or its centre, not both"),
        ({"around": 1e-3, "decades": 4, "high": 1e-1}, "its bounds or its centre, not both"),
        ({"around": 1e-3, "decades": 4, "choices": [1]}, "stand alone"),
        ({"decades": 4, "choices": [1]}, "stand alone"),
        ({"around": 1e-3, "decades": 4, "log": False}, "is logarithmic"),
        ({"around": 1e-3, "decades": 4, "points": 1}, "at least 2 points"),
        ({"around": 0.0, "decades": 4}, "around a number above 0"),
        ({"around": -1.0, "decades": 4}, "around a number above 0"),
        ({"around": 1e101, "decades": 4}, "1e-100 to 1e\\+100"),
        ({"around": 1e-3, "decades": 0}, "between 0.01 and 100"),
        ({"around": 1e-3, "decades": 101}, "between 0.01 and 100"),
        ({"around": 1e-3, "decades": True}, "decades"),
        ({"around": True, "decades": 4}, "around"),
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


CENTRES = st.floats(1e-100, 1e100)
WIDTHS = st.floats(0.01, 100.0)


@given(CENTRES, WIDTHS)
def test_a_range_around_a_centre_has_that_width_to_both_sides(centre: float, decades: float) -> None:
    placed = Range(around=centre, decades=decades).placed(declared=1.0)
    assert (placed.log, placed.around, placed.decades) == (True, None, None)
    assert placed.low is not None
    assert placed.high is not None
    # bounds have twelve digits: half a unit of the twelfth is 2e-12 of a decade
    assert math.log10(centre) - math.log10(placed.low) == pytest.approx(decades / 2, abs=5e-12)
    assert math.log10(placed.high) - math.log10(centre) == pytest.approx(decades / 2, abs=5e-12)


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.floats(0.01, 10), st.floats(0, 1, exclude_max=True))
def test_the_same_u_lies_equally_far_from_every_centre(one: float, other: float, decades: float, u: float) -> None:
    declared = Range(around="declared", decades=decades)
    factors = [Axis("optimizer.lr", declared.placed(centre), whole=False).at(u) / centre for centre in (one, other)]
    assert factors[0] == pytest.approx(factors[1], rel=1e-10)


def test_bounds_around_a_centre_are_as_one_would_write_them() -> None:
    placed = Range(around=3e-3, decades=4, points=3).placed(declared=1.0)
    assert (placed.low, placed.high) == (3e-5, 3e-1)
    assert Axis("lr", placed, whole=False).grid() == (3e-5, pytest.approx(3e-3, rel=1e-12), 3e-1)
    assert Range(around="declared", decades=2).placed(declared=3.0) == Range(low=0.3, high=30.0, log=True)
    assert Range(around=2, decades=2).placed(declared=3.0) == Range(low=0.2, high=20.0, log=True)
    assert LOG.range.placed(declared=3.0) == LOG.range


@pytest.mark.parametrize(
    ("value", "near"),
    [(1e-5, "low"), (3e-5, "low"), (3.2e-5, None), (1e-3, None), (3.1e-2, None), (0.032, "high"), (0.1, "high")],
)
def test_half_a_decade_from_a_bound_is_near(value: float, near: str | None) -> None:
    assert LOG.near_bound(value) == near


def test_near_a_bound_is_for_numbers_on_a_logarithmic_axis() -> None:
    assert LINEAR.near_bound(2.5) is CHOICES.near_bound(True) is WHOLE.near_bound(1) is None
    assert (WHOLE_LOG.near_bound(17), WHOLE_LOG.near_bound(64), WHOLE_LOG.near_bound(256)) == ("low", None, "high")
    narrow = Axis("lr", Range(low=1.0, high=4.0, log=True), whole=False)
    assert (narrow.near_bound(1.9), narrow.near_bound(2.1)) == ("low", "high"), "the nearer of the two"
