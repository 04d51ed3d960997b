"""Intervals and tests of paired differences against scipy's, and against all signs counted one by one."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from spadam.statistics.equivalence import p_within
from spadam.statistics.paired import MANY, Side, fewest_units, interval, p_sign_flip, p_student

SIDES: tuple[Side, ...] = ("two-sided", "greater", "less")
numbers = st.floats(-10, 10).map(lambda x: round(x, 3))
few = st.lists(numbers, min_size=2, max_size=9)
varied = few.filter(lambda found: np.std(found) > 1e-3)


def drawn(n: int, mean: float = 0.05, deviation: float = 0.03, seed: int = 0) -> list[float]:
    return list(np.random.default_rng(seed).normal(mean, deviation, n))


@given(varied, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_interval_of_few_is_students(found: list[float], level: float) -> None:
    got = interval(found, level)
    half = stats.t.ppf((1 + level) / 2, len(found) - 1) * np.std(found, ddof=1) / math.sqrt(len(found))
    assert got[:3] == pytest.approx((np.mean(found), np.mean(found) - half, np.mean(found) + half), abs=1e-9)
    assert (got.level, got.n) == (level, len(found))


@given(varied, numbers, st.sampled_from(SIDES))
def test_students_p_is_scipys(found: list[float], against: float, side: Side) -> None:
    expected = stats.ttest_1samp(found, against, alternative=side).pvalue
    assert p_student(found, against, side) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@given(varied, numbers)
def test_the_interval_leaves_out_what_the_test_refuses(found: list[float], against: float) -> None:
    got = interval(found, 0.95)
    if min(abs(got.low - against), abs(got.high - against)) > 1e-6:
        assert (not got.low <= against <= got.high) == (p_student(found, against) < 0.05)


@given(few, numbers, st.sampled_from(SIDES))
@settings(max_examples=60)
def test_the_sign_flip_test_counts_all_signs(found: list[float], against: float, side: Side) -> None:
    deviations = np.array(found) - against
    sums = [float(deviations @ signs) for signs in itertools.product((1, -1), repeat=len(found))]
    seen = sum(deviations)
    greater = np.mean([total >= seen - 1e-9 for total in sums])
    less = np.mean([total <= seen + 1e-9 for total in sums])
    expected = {"greater": greater, "less": less, "two-sided": min(1.0, 2 * min(greater, less))}[side]
    assert p_sign_flip(found, against, side) == expected


@pytest.mark.parametrize("side", SIDES)
def test_the_sign_flip_test_is_scipys(side: Side) -> None:
    found = drawn(12, 0.01)
    kind = {"permutation_type": "samples", "vectorized": True, "n_resamples": np.inf}
    expected = stats.permutation_test((found,), lambda x, axis: np.mean(x, axis), **kind, alternative=side).pvalue
    assert p_sign_flip(found, 0.0, side) == pytest.approx(expected, rel=1e-12)


def test_many_signs_are_drawn_and_agree_with_students_t() -> None:
    found = drawn(40, 0.008)
    assert p_sign_flip(found, 0.0) == p_sign_flip(found[::-1], 0.0)
    assert p_sign_flip(found, 0.0) == pytest.approx(p_student(found, 0.0), abs=0.02)
    assert p_sign_flip(drawn(40), 0.0) == pytest.approx(2 / 10_000)


def test_the_interval_of_many_is_the_bootstraps() -> None:
    found = list(np.random.default_rng(1).lognormal(0, 1, 30))  # skewed: Student's is not where it should be
    got, student = interval(found, 0.95), stats.ttest_1samp(found, 0).confidence_interval(0.95)
    expected = stats.bootstrap((found,), np.mean, n_resamples=200_000, rng=np.random.default_rng(2))
    assert (got.low, got.high) == pytest.approx(expected.confidence_interval, abs=0.02)
    assert got.low > student.low + 0.05
    assert got.high > student.high + 0.01
    assert got == interval(found[::-1], 0.95)


@pytest.mark.parametrize("n", range(2, MANY + 2))
def test_what_never_varies_has_no_width(n: int) -> None:
    assert interval([0.25] * n, 0.95)[:3] == (0.25, 0.25, 0.25)
    assert (p_student([0.25] * n, 0.25), p_student([0.25] * n, 0.2), p_student([0.25] * n, 0.2, "less")) == (1, 0, 1)
    assert p_sign_flip([0.0] * n, 0.0) == 1.0


def test_one_unit_says_nothing() -> None:
    assert interval([0.3], 0.95)[:3] == (0.3, -math.inf, math.inf)
    assert p_student([0.3], 0.0) == p_sign_flip([0.3], 0.0) == 1.0


@pytest.mark.parametrize("found", [[], [1.0, math.nan], [math.inf]])
def test_what_is_no_number_is_refused(found: list[float]) -> None:
    with pytest.raises(ValueError, match="finite differences are needed"):
        interval(found, 0.95)


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 3, 0.01, 0.0625, 0.001])
def test_so_few_units_can_never_differ(alpha: float) -> None:
    fewest = fewest_units(alpha)
    assert p_sign_flip([1.0] * fewest, 0.0) < alpha <= p_sign_flip([1.0] * (fewest - 1), 0.0)


@given(varied, st.floats(0.1, 5).map(lambda x: round(x, 3)))
def test_equivalence_is_the_interval_of_twice_alpha(found: list[float], margin: float) -> None:
    inner = interval(found, 0.90)
    p = p_within(found, -margin, margin)
    if p < 0.05:
        assert -margin < inner.low <= inner.high < margin
    elif -margin < inner.low - 1e-9 and inner.high + 1e-9 < margin:  # then the signs say no
        assert max(p_sign_flip(found, -margin, "greater"), p_sign_flip(found, margin, "less")) >= 0.05


def test_equivalence_needs_units() -> None:
    close = drawn(10, 0.0, 0.002)
    assert p_within(close, -0.01, 0.01) < 0.05
    assert p_within(close[:4], -0.01, 0.01) >= 0.05  # 2^-4
    assert p_within(drawn(30, 0.0, 0.002), -0.01, 0.01) < 0.05
    assert p_within(drawn(30, 0.02, 0.002), -0.01, 0.01) > 0.9
