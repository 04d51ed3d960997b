"""What is searched: ranges as they are written, and axes as a variant has them.

A *range* is what a file says about one key of the configuration. An *axis* is a range that has met a variant's
configuration, and so knows its bounds and whether its values are whole numbers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, model_validator

from spadam.optim import ScaledLr
from spadam.spec import Document, InputError, Spec, as_tuple, validate

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Value = bool | int | float | str | None
"""What an axis may give a key."""

Bound = Literal["low", "high"]

SIDES: dict[Bound, str] = {"low": "lower", "high": "upper"}
"""What the bounds are called in a sentence."""

MOST_POINTS = 10_000
"""Of one axis of a grid."""

NEAR = 0.5
"""Decades: a best value that lies so close to a bound may well have a better one beyond it."""

_FEWEST, _MOST = 0.01, 100.0
_SMALLEST, _LARGEST = 1e-100, 1e100  # so that neither bound leaves what a number can hold


def _as_choices(value: object) -> object:
    """A YAML list as a tuple of single values; a list or mapping in it is told as what cannot be chosen."""
    for choice in value if isinstance(value, list) else ():
        if isinstance(choice, list | dict):
            rule = "a choice must be one value: a number, a text, true, false or null"
            raise InputError("choices", choice, rule, "make each a variant: a variant may hold any key")
    return as_tuple(value)


def _as_scaled(value: object) -> object:
    """A centre by the number of latents, whose mistakes are its own; anything else as it is."""
    return validate(ScaledLr, Document(value, {}, "around"), within="around.") if isinstance(value, dict) else value


class Range(Spec):
    """The values of one axis: from `low` to `high`, so many `decades` `around` a centre, or one of `choices`."""

    low: int | float | None = None
    """The smallest value; a range from low to high suits a key whose useful values are known."""
    high: int | float | None = None
    """The largest value."""
    log: bool = False
    """Equal ratios are equally likely, not equal differences; for values that may differ by orders of magnitude."""
    around: Annotated[Literal["declared"] | float | ScaledLr | None, BeforeValidator(_as_scaled)] = None
    """The middle of a logarithmic range, instead of low and high. `declared`, for `optimizer.lr`, is the centre that
    each variant's optimizer declares (`spadam list optimizers`): so all are searched equally wide around comparable
    places, although a good lr of one is a bad one of another. `{rule: sqrt_n, at: 2e-4, n: 16384}`, for it too, is the
    lr that it gives the variant's number of latents."""
    decades: float | None = None
    """The width of a range around a centre in powers of ten, half of them to each side; 4 finds an lr of which little
    is known."""
    points: int | None = None
    """The sampler `grid` tries so many, evenly spread, both ends among them."""
    choices: Annotated[tuple[Value, ...], BeforeValidator(_as_choices)] | None = None
    """The values themselves, for what is no number or not ordered."""

    @model_validator(mode="after")
    def _check(self) -> Range:
        if self.choices is not None:
            self._check_choices()
        elif self.around is not None or self.decades is not None:
            self._check_around()
        else:
            self._check_bounds()
        if self.points is not None and self.points < 2:
            raise InputError("points", self.points, "a grid needs both ends: at least 2 points", "raise points")
        if self.points is not None and self.points > MOST_POINTS:
            rule = f"an axis of a grid has at most {MOST_POINTS} points"
            raise InputError("points", self.points, rule, "lower points, or use the sampler qmc")
        return self

    def _check_bounds(self) -> None:
        if self.low is None or self.high is None:
            missing = "low" if self.low is None else "high"
            rule = "a range needs low and high, or around and decades, or choices"
            raise InputError(missing, None, rule, f"add {missing}")
        if not self.low < self.high:
            rule = f"low < high must hold, but high is {self.high}"
            raise InputError("low", self.low, rule, "exchange the two, or fix the value in base")
        if self.log and self.low <= 0:
            raise InputError("low", self.low, "a logarithmic range must begin above 0", "raise low, or set log: false")

    def _check_around(self) -> None:
        for name in ("low", "high"):
            if (value := getattr(self, name)) is not None:
                rule = "a range has its bounds or its centre, not both"
                raise InputError(name, value, rule, f"remove {name}, or around and decades")
        if self.around is None:
            raise InputError("decades", self.decades, "a width needs a centre", "add around, or give low and high")
        if self.decades is None:
            centre = self.around.model_dump() if isinstance(self.around, ScaledLr) else self.around
            raise InputError("around", centre, "a centre needs a width", "add decades, such as `decades: 4`")
        if "log" in self.model_fields_set and not self.log:
            raise InputError(
                "log", self.log, "a range around a centre is logarithmic", "remove log, or give low and high"
            )
        if not _FEWEST <= self.decades <= _MOST:
            rule = f"must lie between {_FEWEST:g} and {_MOST:g}"
            raise InputError("decades", self.decades, rule, "4 is wide for an lr")
        if isinstance(self.around, ScaledLr):
            return
        if self.around != "declared" and not _SMALLEST <= self.around <= _LARGEST:
            rule = f"a logarithmic range lies around a number above 0 ({_SMALLEST:g} to {_LARGEST:g})"
            raise InputError("around", self.around, rule, "change it, or give low and high")

    def _check_choices(self) -> None:
        assert self.choices is not None
        for name in ("low", "high", "around", "decades", "points"):
            if (value := getattr(self, name)) is not None:
                raise InputError(name, value, "choices stand alone", f"remove {name}, or choices")
        if self.log:
            raise InputError("log", self.log, "choices stand alone", "remove log, or choices")
        if not self.choices:
            raise InputError("choices", None, "there must be something to choose from", "list at least one value")
        for number, choice in enumerate(self.choices):
            if choice in self.choices[:number]:  # 1, 1.0 and True too: Optuna takes them for the same
                raise InputError("choices", choice, "a choice may stand only once", "remove one of the two")

    def placed(self, declared: float, latents: int = 1) -> Range:
        """The same values from low to high, around ``declared`` or by the number of ``latents`` where it says so."""
        if self.around is None or self.decades is None:
            return self
        if isinstance(self.around, ScaledLr):
            centre = self.around.of(latents)
        else:
            centre = declared if self.around == "declared" else self.around
        side = 10 ** (self.decades / 2)
        # Twelve digits, so that the bounds are as one would have written them.
        low, high = float(f"{centre / side:.12g}"), float(f"{centre * side:.12g}")
        return Range(low=low, high=high, log=True, points=self.points)


def as_range(written: object) -> object:
    """A list, which is how one writes choices in short, as the range that it stands for; anything else as it is."""
    return {"choices": written} if isinstance(written, list) else written


WrittenRange = Annotated[Range, BeforeValidator(as_range, json_schema_input_type=Range | list[Value])]
"""A range as a file may have it."""


class Axis(NamedTuple):
    """One dimension of a variant's search."""

    name: str
    """The key of the configuration, dotted: `optimizer.lr`; or a relative axis."""
    range: Range
    """From low to high, or choices."""
    whole: bool
    """Only whole numbers: both bounds are written so, and the key takes nothing else."""
    dimension: int = 0
    """Its number among the axes of the whole sweep: which dimension of a low-discrepancy sequence it takes."""

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

    @property
    def points(self) -> int:
        """How many values a grid has on this axis."""
        if self.range.choices is not None:
            return len(self.range.choices)
        assert self.range.points is not None, "checked with the sweep"
        return self.range.points

    def point(self, number: int) -> Value:
        """One of the grid's values, which lie evenly from end to end; ``number`` counts from 0."""
        if self.range.choices is not None:
            return self.range.choices[number]
        low, high = self._bounds()
        last = self.points - 1
        if number == 0:  # both ends are as they are written, to the last bit
            value = low
        elif number == last:
            value = high
        else:
            value = _between(low, high, number / last, self.range.log)
        return round(value) if self.whole else float(value)

    def grid(self) -> tuple[Value, ...]:
        """All of them; whole numbers that lie too close together become one."""
        values = map(self.point, range(self.points))
        return tuple(dict.fromkeys(values)) if self.whole else tuple(values)

    def ends(self) -> tuple[Value, ...]:
        """Where a wrong range shows: both bounds, or every choice."""
        return self.range.choices if self.range.choices is not None else self._bounds()

    def near_bound(self, value: Value) -> Bound | None:
        """The bound from which ``value`` is not further than :data:`NEAR` decades, the nearer of the two.

        None in between, and on an axis that is not logarithmic: nothing is known of distances there.
        """
        if self.range.choices is not None or not self.range.log:
            return None
        assert isinstance(value, int | float)
        low, high = self._bounds()
        distance, bound = min((math.log10(value / low), "low"), (math.log10(high / value), "high"))
        if distance > NEAR:
            return None
        return "low" if bound == "low" else "high"

    def distribution(self) -> BaseDistribution:
        """The axis as Optuna has it."""
        # Here, because a sweep's file is read without Optuna.
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

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
