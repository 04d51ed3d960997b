"""What is searched: ranges as they are written, and axes as a variant has them.

A *range* is what a file says about one key of the configuration. An *axis* is a range that has met a variant's
configuration, and so knows whether its values are whole numbers.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, NamedTuple

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import BeforeValidator, model_validator

from spadam.spec import InputError, Spec, as_tuple

Value = bool | int | float | str | None
"""What an axis may give a key."""


class Range(Spec):
    """The values of one axis: from `low` to `high`, both included, or one of `choices`."""

    low: int | float | None = None
    """The smallest value."""
    high: int | float | None = None
    """The largest value."""
    log: bool = False
    """Equal ratios are equally likely, not equal differences; for values that may differ by orders of magnitude."""
    points: int | None = None
    """The sampler `grid` tries so many, evenly spread, both ends among them."""
    choices: Annotated[tuple[Value, ...], BeforeValidator(as_tuple)] | None = None
    """The values themselves, for what is no number or not ordered."""

    @model_validator(mode="after")
    def _check(self) -> Range:
        if self.choices is not None:
            self._check_choices()
            return self
        if self.low is None or self.high is None:
            missing = "low" if self.low is None else "high"
            raise InputError(missing, None, "a range needs low and high, or choices", f"add {missing}")
        if not self.low < self.high:
            rule = f"low < high must hold, but high is {self.high}"
            raise InputError("low", self.low, rule, "exchange the two, or fix the value in base")
        if self.log and self.low <= 0:
            raise InputError("low", self.low, "a logarithmic range must begin above 0", "raise low, or set log: false")
        if self.points is not None and self.points < 2:
            raise InputError("points", self.points, "a grid needs both ends: at least 2 points", "raise points")
        return self

    def _check_choices(self) -> None:
        assert self.choices is not None
        for name in ("low", "high", "points"):
            if (value := getattr(self, name)) is not None:
                raise InputError(name, value, "choices stand alone", f"remove {name}, or choices")
        if self.log:
            raise InputError("log", self.log, "choices stand alone", "remove log, or choices")
        if not self.choices:
            raise InputError("choices", None, "there must be something to choose from", "list at least one value")
        for number, choice in enumerate(self.choices):
            if choice in self.choices[:number]:  # 1, 1.0 and True too: Optuna takes them for the same
                raise InputError("choices", choice, "a choice may stand only once", "remove one of the two")


class Axis(NamedTuple):
    """One dimension of a variant's search."""

    name: str
    """The key of the configuration, dotted: `optimizer.lr`."""
    range: Range
    whole: bool
    """Only whole numbers: both bounds are written so, and the key takes nothing else."""

    def at(self, u: float) -> Value:
        """The value at ``u`` in [0, 1): every choice or whole number has the same share, a log range equal decades."""
        assert 0 <= u < 1
        if self.range.choices is not None:
            return self.range.choices[int(u * len(self.range.choices))]
        low, high = self._bounds()
        if self.whole:  # the shares meet at halves, so the ends have as much room as the others
            position = _between(low - 0.5, high + 0.5, u, self.range.log)
            return int(min(high, max(low, math.floor(position + 0.5))))
        return float(min(high, max(low, _between(low, high, u, self.range.log))))

    def grid(self) -> tuple[Value, ...]:
        """The values of this axis in a grid: `points` from end to end, or every choice."""
        if self.range.choices is not None:
            return self.range.choices
        assert self.range.points is not None, "checked with the sweep"
        low, high = self._bounds()
        last = self.range.points - 1
        inner = [_between(low, high, n / last, self.range.log) for n in range(1, last)]
        if not self.whole:
            return (float(low), *inner, float(high))
        return tuple(dict.fromkeys((int(low), *(round(value) for value in inner), int(high))))

    def ends(self) -> tuple[Value, ...]:
        """Where a wrong range shows: both bounds, or every choice."""
        return self.range.choices if self.range.choices is not None else self._bounds()

    def distribution(self) -> BaseDistribution:
        """The axis as Optuna has it."""
        if self.range.choices is not None:
            return CategoricalDistribution(self.range.choices)
        low, high = self._bounds()
        if self.whole:
            return IntDistribution(int(low), int(high), log=self.range.log)
        return FloatDistribution(low, high, log=self.range.log)

    def _bounds(self) -> tuple[int | float, int | float]:
        assert self.range.low is not None
        assert self.range.high is not None
        return self.range.low, self.range.high


def _between(low: float, high: float, share: float, log: bool) -> float:
    if log:
        return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    return low + share * (high - low)


def takes_only_whole_numbers(annotation: Any) -> bool:
    """Whether a key declared as ``annotation`` takes int and not float."""
    kinds = set(_flatten(annotation))
    return int in kinds and float not in kinds


def _flatten(annotation: Any) -> list[Any]:
    parts = getattr(annotation, "__args__", None)
    return [annotation] if parts is None else [kind for part in parts for kind in _flatten(part)]
