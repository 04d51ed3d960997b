"""How a metric answers to a number: slopes, widths, sensitivities, and what does nothing, each against a naive sum."""

import math
from typing import Any

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given
from hypothesis import strategies as st

from spadam.statistics.design import Observation, design
from spadam.statistics.interval import estimate
from spadam.statistics.response_curve import Curve, curve, flat, sensitivity, slope, width

PLACES = (-5.0, -4.5, -4.0, -3.0, -2.0, -1.0)


def made(logs: Any, places: tuple[float, ...] = PLACES, start: float = math.inf) -> Curve:
    """Of logarithms by level, or by level and seed."""
    logs = np.asarray(logs, float)
    logs = logs[:, None] + np.zeros((1, 2)) if logs.ndim == 1 else logs
    starts = np.full(logs.shape, start)
    return Curve(places[: len(logs)], np.exp(logs), starts, np.zeros(logs.shape, bool))


def drawn(seed: int, seeds: int = 4) -> Curve:
    rng = np.random.default_rng(seed)
    return made(rng.normal(0, 0.05, (6, seeds)) + 0.1 * (np.array(PLACES) + 3)[:, None] ** 2, start=1.3)


def test_a_curve_runs_along_an_axis_through_a_point() -> None:
    at = [{"lr": x, "eps": y, "rule": z} for x in (-3.0, -2.0) for y in (-8.0, -6.0) for z in ("a", "b")]
    found = design([Observation(one, s, 2 + n + 10 * s, 3.0 + n) for n, one in enumerate(at) for s in (0, 1)])
    along = curve(found, "eps", (1, 0, 1))
    assert along.places == (-8.0, -6.0)
    assert along.values_LS.tolist() == [[7, 17], [9, 19]]
    assert along.starts_LS.tolist() == [[8, 8], [10, 10]]
    with pytest.raises(ValueError, match="no numbers"):
        curve(found, "rule", (0, 0, 0))


@pytest.mark.parametrize(
    ("place", "low", "high", "side"),
    [
        (-5.0, 0, 1, "above"),
        (-4.0, 1, 3, "both"),
        (-1.0, 4, 5, "below"),
        (-3.4, 2, 3, "both"),
        (-2.0 + 1e-9, 3, 5, "both"),
    ],
)
def test_a_slope_is_the_difference_of_neighbours_seed_by_seed(place: float, low: int, high: int, side: str) -> None:
    found = drawn(0)
    rises = [
        math.log(found.values_LS[high, s] / found.values_LS[low, s]) / (PLACES[high] - PLACES[low]) for s in range(4)
    ]
    told = slope(found, place)
    assert told is not None
    assert (told.side, told.slope) == (side, pytest.approx(estimate(rises)))
    assert told.slope.mean == pytest.approx((found.means_L[high] - found.means_L[low]) / (PLACES[high] - PLACES[low]))


def test_outside_of_the_grid_there_is_no_slope() -> None:
    assert slope(drawn(0), -5.1) is slope(drawn(0), -0.9) is slope(made([0.0]), -5.0) is None


def test_a_width_is_measured_between_levels_and_open_at_the_ends() -> None:
    up = math.log(1.05)
    assert width(made([9, 9, 2 * up, 0, 2 * up, 9])) == pytest.approx((1.0, False, False))
    assert width(made([9, 4 * up, 0, 0, 0, 4 * up])) == pytest.approx((0.125 + 2 + 0.25, False, False))
    assert width(made([0, 0, 2 * up, 9, 9, 9])) == pytest.approx((0.75, True, False))
    left = (up - up / 2) / (9 - up / 2)  # from a level of up / 2 towards one of 9, a decade away
    assert width(made([9, 9, 9, 9, up / 2, 0])) == pytest.approx((1 + left, False, True))
    assert width(made([0, 0, 0, 0, 0, 0])) == (4.0, True, True)
    assert width(made([0, 9, 9, 9, 9, 0.01])).decades == pytest.approx(0.5 * up / 9)  # the other valley does not count


@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_a_width_is_how_far_one_may_walk(logs: list[float]) -> None:
    found = made(logs)
    told, best = width(found), found.places[found.best]
    fine = np.linspace(PLACES[0], PLACES[-1], 4001)
    bad = np.interp(fine, PLACES, found.means_L) > min(logs) + math.log(1.05)
    low = max((x for x in fine[bad] if x < best), default=PLACES[0])
    high = min((x for x in fine[bad] if x > best), default=PLACES[-1])
    assert told.decades == pytest.approx(high - low, abs=0.003)


@pytest.mark.parametrize(("low", "high", "whole"), [(-4.5, -1.5, True), (-5.0, -1.0, True), (-7.0, -3.3, False)])
def test_a_sensitivity_is_the_mean_over_the_curve_less_its_lowest(low: float, high: float, whole: bool) -> None:
    found = drawn(3)
    clipped = np.minimum(found.values_LS, 1.3)
    assert (clipped == 1.3).any()
    first = max(low, PLACES[0])
    nodes = sorted({first, high, *(place for place in PLACES if first < place < high)})
    lowest = min(nodes, key=lambda x: float(np.interp(x, PLACES, clipped.mean(axis=1))))
    expected = []
    for one in clipped.T:
        area = scipy.integrate.quad(lambda x, y=one: float(np.interp(x, PLACES, y)), first, high, points=nodes)[0]
        expected.append(area / (high - first) - float(np.interp(lowest, PLACES, one)))
    told = sensitivity(found, low, high)
    assert told is not None
    assert told.value == pytest.approx(estimate(expected))
    assert told[1:] == (first, high, whole)


def test_a_training_that_diverged_costs_what_none_would() -> None:
    found = made([0, 0, 0, 0, 50, 50], start=3.0)
    told = sensitivity(found, -3.0, -1.0)
    assert told is not None
    assert told.value.mean == pytest.approx((0.5 * (0 + 2) + 2) / 2)


def test_without_a_start_or_a_stretch_there_is_no_sensitivity() -> None:
    found = drawn(0)
    assert sensitivity(found, -0.5, 2.0) is sensitivity(found, -1.0, 2.0) is None
    assert sensitivity(made([0, 1, 2], start=math.nan), -5.0, -4.0) is None


@pytest.mark.parametrize(
    ("around", "low", "high"), [(0, -5.0, -3.0), (2, -5.0, -3.0), (3, -4.0, -2.0), (5, -3.0, -1.0)]
)
def test_two_decades_lie_around_a_level(around: int, low: float, high: float) -> None:
    told = flat(drawn(1), around)
    assert told is not None
    assert (told.low, told.high) == (low, high)


def test_a_number_does_nothing_when_seeds_do_more() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, (6, 5))
    shared = rng.normal(0, 1.0, (1, 5))  # what a seed does everywhere is no noise between levels
    still, moved = flat(made(noise + shared), 3), flat(made(noise + shared + np.array([[0, 0, 0, 0, 0.1, 0]]).T), 3)
    assert still is not None
    assert moved is not None
    assert still.nothing
    assert not moved.nothing
    window = (noise + shared)[2:5]
    means = window.mean(axis=1)
    left = window - means[:, None] - window.mean(axis=0) + window.mean()
    assert still.span == pytest.approx(means.max() - means.min())
    assert still.deviation == pytest.approx(math.sqrt((left**2).sum() / (2 * 4)))
    assert flat(made([0.0, 0.0, 0.0, 0.0]), 1) == (-5.0, -3.0, 0.0, 0.0)
    assert flat(made([0.0, 0.0, 0.0, 0.0]), 1).nothing  # type: ignore[union-attr]


def test_of_a_narrow_grid_or_where_a_training_diverged_nothing_is_said() -> None:
    assert flat(made([0.0, 0.0, 0.0]), 1) is None
    found = drawn(0)
    found.diverged_LS[0, 0] = True
    assert flat(found, 1) is None
    assert flat(found, 4) is not None
    assert flat(made(np.zeros((6, 1))), 3) is None
    zero = made([9.0, 0.0, 0.0, 0.0], (-math.inf, -10.0, -9.0, -8.0))
    assert flat(zero, 0) is None
    assert flat(zero, 1) == (-10.0, -8.0, 0.0, 0.0)
