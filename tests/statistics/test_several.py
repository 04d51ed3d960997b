"""Several tests at once, rates, and how many units a test needs: against scipy, and against what is simulated."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from spadam.statistics.holm import holm
from spadam.statistics.power import MOST, power, units_needed
from spadam.statistics.rate import rate

ps = st.lists(st.floats(0, 1), min_size=1, max_size=8)


@given(ps, st.sampled_from([0.01, 0.05, 0.2]))
def test_holms_adjusted_values_say_the_same(found: list[float], alpha: float) -> None:
    steps, m = holm(found, alpha), len(found)
    order = sorted(range(m), key=found.__getitem__)
    adjusted, largest = {}, 0.0
    for place, number in enumerate(order):
        largest = max(largest, (m - place) * found[number])
        adjusted[number] = largest
    for number, step in enumerate(steps):
        if abs(adjusted[number] - alpha) > 1e-9:
            assert step.passes == (adjusted[number] < alpha)
    assert sorted(step.alpha for step in steps) == pytest.approx([alpha / (m - place) for place in range(m)])


def test_one_test_alone_keeps_its_level() -> None:
    assert holm([0.049], 0.05) == [(0.05, True)]
    assert holm([], 0.05) == []


def test_with_holm_one_of_many_true_hypotheses_is_refused_in_a_twentieth() -> None:
    rng = np.random.default_rng(0)
    false = sum(any(step.passes for step in holm(list(rng.uniform(size=5)), 0.05)) for _ in range(4000))
    assert 150 < false < 250  # 4 standard deviations about 200


@pytest.mark.parametrize(("times", "n"), [(0, 10), (1, 10), (10, 10), (7, 200)])
def test_a_rate_has_clopper_and_pearsons_interval(times: int, n: int) -> None:
    low = stats.beta.ppf(0.025, times, n - times + 1) if times else 0.0
    high = stats.beta.ppf(0.975, times + 1, n - times) if times < n else 1.0
    assert rate(times, n) == pytest.approx((times / n, low, high, n))


@pytest.mark.parametrize(("times", "n"), [(0, 0), (3, 2), (-1, 4)])
def test_what_is_no_rate_is_refused(times: int, n: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        rate(times, n)


@pytest.mark.parametrize(("n", "effect"), [(6, 0.5), (10, 1.0), (10, -1.0), (34, 0.5)])
def test_power_is_what_is_found_in_simulated_samples(n: int, effect: float) -> None:
    samples = np.random.default_rng(n).normal(effect, 1.0, (20_000, n))
    found = (stats.ttest_1samp(samples, 0.0, axis=1).pvalue < 0.05).mean()
    assert power(n, effect, 1.0, 0.05) == pytest.approx(found, abs=0.015)


@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize("effect", [2.0, 1.0, 0.5, 0.1, -0.5])
def test_units_needed_are_the_fewest(effect: float, alpha: float) -> None:
    n = units_needed(effect, 1.0, alpha)
    assert n is not None
    assert power(n, effect, 1.0, alpha) >= 0.8 > power(n - 1, effect, 1.0, alpha)


def test_no_number_of_units_finds_nothing() -> None:
    assert units_needed(0.0, 1.0, 0.05) is None
    assert units_needed(0.001, 1.0, 0.05) is None
    assert power(MOST, 0.001, 1.0, 0.05) < 0.8
    assert units_needed(0.1, 0.0, 0.05) == 2
    assert power(1, 1.0, 1.0, 0.05) == 0.0
    assert math.isclose(power(5, 0.0, 1.0, 0.05), 0.05)
