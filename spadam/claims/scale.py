"""How values of a metric are compared: as ratios, or as points."""

from __future__ import annotations

import math
from typing import NamedTuple

from spadam.text import number


class Scale(NamedTuple):
    """What a difference of a metric is.

    Of an error it is one of logarithms, so that seeds in which everything went worse count like any other, and an
    effect of -0.01 is one per cent less; of any other metric it is that of the values.
    """

    ratio: bool
    """Whether differences are of logarithms."""
    share: bool = False
    """Whether values are shares of 1, and differences points of a hundred."""

    def place(self, value: float) -> float:
        """Where ``value`` stands. NaN where it stands nowhere: an error of 0 has no logarithm."""
        if not self.ratio:
            return value
        return math.log(value) if value > 0 else math.nan

    def beyond(self, margin: float) -> float:
        """The difference from which on ``margin`` is exceeded."""
        return math.log1p(margin) if self.ratio else margin

    def amount(self, effect: float) -> str:
        """A difference in words, without its direction.

        >>> Scale(True).amount(-0.0202), Scale(False, True).amount(0.01), Scale(False).amount(-3.25)
        ('2 %', '1 point', '3.25')
        """
        if self.is_factor(effect):
            return f"a factor of {number(math.exp(effect), 3)}"
        if self.ratio:
            return f"{_per_cent(abs(math.expm1(effect)))} %"
        if not self.share:
            return number(abs(effect), 3)
        points = number(abs(effect) * 100, 3)
        return f"{points} point" if points == "1" else f"{points} points"

    def is_factor(self, effect: float) -> bool:
        """Whether a difference is so large a ratio that it is told as a factor."""
        return self.ratio and abs(effect) > _FACTOR

    def signed(self, effect: float, beside: float | None = None) -> str:
        """A difference with its sign, for tables; an end of an interval in the form of the mean that it stands
        ``beside``.

        >>> Scale(True).signed(-0.0202), Scale(False, True).signed(0.0123), Scale(True).signed(2.3)
        ('-2 %', '+1.23', '×9.97')
        """
        if math.isinf(effect):
            return "∞" if effect > 0 else "-∞"
        if self.is_factor(effect if beside is None else beside):
            return f"×{number(math.exp(effect), 3)}"
        sign = "-" if effect < 0 else "+"
        if self.ratio:
            return f"{sign}{_per_cent(abs(math.expm1(effect)))} %"
        return f"{sign}{number(abs(effect) * (100 if self.share else 1), 3)}"


_FACTOR = math.log(2)
"""Ratios beyond this are told as factors."""


def _per_cent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0") if share >= 0.0095 else number(100 * share, 2)
