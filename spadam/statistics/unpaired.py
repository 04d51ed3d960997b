"""How far the means of two independent samples lie apart."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from spadam.statistics.paired import Interval


def welch(first: Sequence[float], second: Sequence[float], level: float) -> Interval:
    """The mean of ``second`` less that of ``first`` with Welch's interval; n counts both samples.

    half = t_{v, (1 + level) / 2} sqrt(s1²/n1 + s2²/n2), with the degrees of freedom v of Satterthwaite (1946); the two
    may spread unlike. Infinite where either sample has one value alone. Raises ValueError where one has none.
    """
    if not first or not second:
        raise ValueError("each sample needs a value")
    difference, n = statistics.fmean(second) - statistics.fmean(first), len(first) + len(second)
    if min(len(first), len(second)) == 1:
        return Interval(difference, -math.inf, math.inf, level, n)
    errors = [(statistics.variance(values) / len(values), len(values) - 1) for values in (first, second)]
    error = math.fsum(each for each, _ in errors)
    if error == 0:
        return Interval(difference, difference, difference, level, n)
    from scipy.special import stdtrit

    freedom = error**2 / math.fsum(each**2 / free for each, free in errors)
    half = float(stdtrit(freedom, (1 + level) / 2)) * math.sqrt(error)
    return Interval(difference, difference - half, difference + half, level, n)
