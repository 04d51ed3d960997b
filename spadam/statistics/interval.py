"""A mean over seeds, and how far it may be from the truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

LEVEL = 0.95

ENOUGH = 5
"""Of fewer seeds an interval says little: Student's t is 2.8 times a standard error at 5, 4.3 at 3 and 12.7 at 2, and
the standard deviation under it is itself a guess."""


class Estimate(NamedTuple):
    """A mean over seeds, with half the width of its interval; None when one seed gives no interval."""

    mean: float
    half: float | None
    n: int

    @property
    def few(self) -> bool:
        """Whether these are too few seeds to say much."""
        return self.n < ENOUGH


def estimate(values: Sequence[float]) -> Estimate | None:
    """Mean and 95 % interval of a sample from a normal distribution: half = t_{n-1, .975} s / sqrt(n)."""
    n = len(values)
    if n == 0:
        return None
    if min(values) == max(values):  # their sum may be rounded, and then they would vary about its n-th part
        return Estimate(float(values[0]), None if n == 1 else 0.0, n)
    return Estimate(math.fsum(values) / n, half_width(values, LEVEL), n)


def half_width(values: Sequence[float], level: float) -> float:
    """Half of Student's interval for the mean of two values or more: t_{n-1, (1 + level) / 2} s / sqrt(n)."""
    from scipy.special import stdtrit  # here, because reading a sweep should not wait for it

    n, mean = len(values), math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    return float(stdtrit(n - 1, (1 + level) / 2)) * deviation / math.sqrt(n)
