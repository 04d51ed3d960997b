"""Whether paired differences are all chance, and how large their mean may be: one machine for test and interval.

A difference is one unit's: two trainings with one seed, or two searches. Below :data:`MANY` units the interval is
Student's t for their mean, and from there on the bias-corrected and accelerated bootstrap (BCa), whose coverage at five
units is .84 where it says .95. Beside it stands a sign-flip test, which assumes nothing but that a difference is as
likely as its opposite. What both say counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

from spadam.statistics.interval import half_width

MANY = 20
"""From so many units on, the interval is BCa's."""

Side = Literal["two-sided", "greater", "less"]
"""What is looked for in the mean: that it differs, is larger, or is smaller."""

_DRAWS = 9_999
"""Of a bootstrap; a fixed generator draws them, so that the same differences have the same interval."""


class Interval(NamedTuple):
    """A mean, and between what it lies with the confidence ``level``; infinite where one unit gives no interval."""

    mean: float
    low: float
    high: float
    level: float
    n: int


def interval(differences: Sequence[float], level: float) -> Interval:
    """The mean of ``differences`` with its interval.

    It does not depend on their order. Raises ValueError when there are none, or one is not finite.
    """
    found = sorted(map(float, differences))
    if not found or not all(map(math.isfinite, found)):
        raise ValueError(f"finite differences are needed, not {found}")
    n, mean = len(found), math.fsum(found) / len(found)
    if n == 1:
        return Interval(mean, -math.inf, math.inf, level, n)
    if found[0] == found[-1]:  # nothing varies: neither method is defined there
        return Interval(found[0], found[0], found[0], level, n)
    if n < MANY:
        half = half_width(found, level)
        return Interval(mean, mean - half, mean + half, level, n)
    return Interval(mean, *_bootstrap(found, level), level, n)


def p_student(differences: Sequence[float], against: float, side: Side = "two-sided") -> float:
    """The p-value of Student's t-test that the mean of ``differences`` is ``against``; 1 of less than two units."""
    if len(differences) < 2:
        return 1.0
    if min(differences) == max(differences):
        return _of_constant(differences[0], against, side)
    from scipy.stats import ttest_1samp

    return float(ttest_1samp(differences, against, alternative=side).pvalue)


def p_sign_flip(differences: Sequence[float], against: float, side: Side = "two-sided") -> float:
    """The p-value of the sign-flip test that ``differences`` lie as much above ``against`` as below.

    Of all ways to give the deviations signs it is the share in which their sum is as extreme as it is, or more (twice
    the smaller tail where two-sided). Exact below :data:`MANY` units, where the smallest value is 2^-n, two-sided
    2^(1-n); of more, 9,999 signs are drawn, by a fixed generator.
    """
    import numpy as np

    deviations = np.sort(np.asarray(differences, float) - against)
    if len(deviations) >= MANY:
        from scipy.stats import permutation_test

        mean, rng = partial(np.mean, axis=-1), np.random.default_rng(0)
        kind = {"permutation_type": "samples", "vectorized": True, "n_resamples": _DRAWS}
        return float(permutation_test((deviations,), mean, **kind, alternative=side, rng=rng).pvalue)
    sums = np.zeros(1)  # every sum: scipy goes through them one by one, which takes it seconds
    for deviation in deviations:
        sums = np.concatenate([sums + deviation, sums - deviation])
    slack = 1e-12 * np.abs(deviations).sum()  # sums that are equal may differ in their last digits
    greater, less = (sums >= sums[0] - slack).mean(), (sums <= sums[0] + slack).mean()
    return float({"greater": greater, "less": less, "two-sided": min(1.0, 2 * min(greater, less))}[side])


def fewest_units(alpha: float) -> int:
    """With fewer units no difference however large has a two-sided sign-flip p below ``alpha``: 2^(1-n) is its least.

    >>> fewest_units(0.05), fewest_units(0.05 / 3)
    (6, 7)
    """
    return math.floor(1 - math.log2(alpha)) + 1


def _bootstrap(found: Sequence[float], level: float) -> tuple[float, float]:
    import numpy as np
    from scipy.stats import bootstrap

    mean: Callable[..., Any] = partial(np.mean)
    drawn = bootstrap((found,), mean, confidence_level=level, n_resamples=_DRAWS, rng=np.random.default_rng(0))
    low, high = drawn.confidence_interval
    return float(low), float(high)


def _of_constant(value: float, against: float, side: Side) -> float:
    """What the test comes to where every difference is the same."""
    if value == against:
        return 1.0
    return 0.0 if side == "two-sided" or (value > against) == (side == "greater") else 1.0
