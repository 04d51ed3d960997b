"""How many units a test needs."""

from __future__ import annotations

import math

MOST = 10_000
"""More units than this are not counted."""


def power(n: int, effect: float, deviation: float, alpha: float) -> float:
    """The chance that a two-sided t-test of ``n`` paired differences finds what is there.

    ``effect`` is how far their mean lies from what it is tested against, ``deviation`` their standard deviation: t then
    has a noncentral distribution with n - 1 degrees of freedom around effect / deviation x sqrt(n).
    """
    if n < 2:
        return 0.0
    if deviation == 0:
        return float(effect != 0)
    from scipy.special import nctdtr, stdtrit

    t, shift = float(stdtrit(n - 1, 1 - alpha / 2)), abs(effect) / deviation * math.sqrt(n)
    return float(1 - nctdtr(n - 1, shift, t) + nctdtr(n - 1, shift, -t))


def units_needed(effect: float, deviation: float, alpha: float, wanted: float = 0.8) -> int | None:
    """The fewest units with which :func:`power` is ``wanted``; None where it is more than :data:`MOST`."""
    if effect == 0 or power(MOST, effect, deviation, alpha) < wanted:
        return None
    high = 2
    while power(high, effect, deviation, alpha) < wanted:
        high *= 2
    low = high // 2  # power grows with n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle, effect, deviation, alpha) >= wanted else (middle, high)
    return high
