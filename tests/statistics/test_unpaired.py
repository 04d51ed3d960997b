"""Welch's interval against scipy's, and at its ends."""

import math

import numpy as np
import pytest
import scipy.stats

from spadam.statistics.unpaired import welch


@pytest.mark.parametrize(("first", "second"), [(2, 2), (5, 9), (20, 3)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_it_is_that_of_scipy(first: int, second: int, level: float) -> None:
    rng = np.random.default_rng(first)
    mine, theirs = rng.normal(1.0, 0.1, first), rng.normal(1.2, 2.0, second)
    ends = scipy.stats.ttest_ind(theirs, mine, equal_var=False).confidence_interval(level)
    found = welch(list(mine), list(theirs), level)
    assert found[:3] == pytest.approx((theirs.mean() - mine.mean(), *ends), rel=1e-12)
    assert found.n == first + second


def test_samples_that_do_not_vary_have_no_width() -> None:
    assert welch([1.0, 1.0], [3.0, 3.0, 3.0], 0.95)[:3] == (2.0, 2.0, 2.0)


def test_one_value_has_no_interval() -> None:
    assert welch([1.0], [3.0, 4.0], 0.95)[:3] == (2.5, -math.inf, math.inf)


def test_a_sample_needs_a_value() -> None:
    with pytest.raises(ValueError, match="each sample needs a value"):
        welch([], [1.0], 0.95)
