"""How often something happens, and how often it may really."""

from __future__ import annotations

from typing import NamedTuple


class Rate(NamedTuple):
    """A share, with the interval of Clopper and Pearson (1934), which is never too short."""

    share: float
    low: float
    high: float
    n: int


def rate(times: int, n: int, level: float = 0.95) -> Rate:
    """``times`` of ``n`` trials, as a share with its interval. Raises ValueError unless 0 <= times <= n and n > 0.

    >>> rate(0, 10).high < 0.309
    True
    """
    from scipy.stats import binomtest

    if n < 1:
        raise ValueError(f"at least one trial is needed, not {n}")
    low, high = binomtest(times, n).proportion_ci(level, "exact")
    return Rate(times / n, float(low), float(high), n)
