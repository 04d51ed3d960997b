"""The mean over seeds, and its interval."""

import pytest

from spadam.statistics.interval import estimate
from spadam.statistics.paired import interval


@pytest.mark.parametrize("value", [0.9933333333333333, 0.1, 1e-300, -7.3e200])
def test_seeds_that_are_all_the_same_have_an_interval_of_nothing(value: float) -> None:
    """Not of how their mean is rounded: a probe's accuracy was shown as 0.9933 ± 3.4e-16."""
    for n in (2, 3, 7, 10):
        assert estimate([value] * n) == (value, 0.0, n)
        assert interval([value] * n, 0.95)[:3] == (value, value, value)
