"""What came of a design: how a metric of a variant answers to lr and to whatever else was laid out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from spadam.statistics.design import Design, Level, Term
from spadam.statistics.response_curve import Curve, Flat, Sensitivity, Slope, Width, curve
from spadam.sweep.definition.relative_axes import LR
from spadam.sweep.definition.space import Value

Around = Literal["best", "default"]


class Knob(NamedTuple):
    """What an axis does over two decades."""

    axis: str
    around: Around
    flat: Flat


class Response(NamedTuple):
    """How a metric of a variant answers. Places are logarithms to the base of ten."""

    variant: str
    metric: str
    design: Design
    """Its trainings. One that diverged stands for the worst that any of the sweep had, in the end or at step 0."""
    terms: tuple[Term, ...]
    """The variance of ln metric by axis."""
    deviation: float | None
    """That of seeds; see :func:`spadam.statistics.design.seed_deviation`."""
    default: tuple[int, ...] | None
    """The level of each axis, by its number, that is nearest to the centre that the optimizer declares for its lr and
    to its default eps; other axes are as in the best. None where no level lies within half a decade of one of them."""
    at_best: Slope | None
    """Along lr through the best, the lowest of the means over seeds."""
    at_default: Slope | None
    """Along lr at the default itself, with the other axes at that level."""
    width: Width
    sensitivity: Sensitivity | None
    """To lr within 1.5 decades of the best."""
    common: Sensitivity | None
    """The same over the lr that all variants share; None where there is nobody to share with."""
    knobs: tuple[Knob, ...]
    """What every ordered axis does, as far as its grid is wide enough."""

    @property
    def seeds(self) -> int:
        """Trainings of every point."""
        return len(self.design.seeds)

    @property
    def diverged(self) -> int:
        """Trainings that diverged."""
        return int(self.design.diverged.sum())

    def at(self, levels: Sequence[int]) -> dict[str, Value]:
        """The value of every axis at ``levels``."""
        places = zip(self.design.axes, self.design.levels, levels, strict=True)
        return {axis: value_at(found[number]) for axis, found, number in places}

    def as_json(self) -> dict[str, Any]:
        """Plain values, as verdicts.json has them."""
        return {
            "variant": self.variant,
            "metric": self.metric,
            "seeds": self.seeds,
            "diverged": self.diverged,
            "best": self.at(self.design.best),
            "default": None if self.default is None else self.at(self.default),
            "variance": [term._asdict() for term in self.terms],
            "seed_deviation": self.deviation,
            "slope_at_best": _slope(self.at_best),
            "slope_at_default": _slope(self.at_default),
            "width": self.width._asdict(),
            "lr_sensitivity": _sensitivity(self.sensitivity),
            "lr_sensitivity_common": _sensitivity(self.common),
            "knobs": [_knob(knob) for knob in self.knobs],
        }


def value_at(level: Level) -> Value:
    """The number at a place, as one would have written it; anything else as it is."""
    return level if isinstance(level, str) else float(f"{10**level:.12g}")


def through(found: Response, at: Sequence[int], axis: str = LR) -> Curve:
    """The metric along ``axis`` through the levels ``at``."""
    return curve(found.design, axis, at)


def _slope(found: Slope | None) -> dict[str, Any] | None:
    if found is None:
        return None
    value = found.slope
    return {"lr": value_at(found.place), "slope": value.mean, "half": value.half, "n": value.n, "side": found.side}


def _sensitivity(found: Sensitivity | None) -> dict[str, Any] | None:
    if found is None:
        return None
    ends = {"low": value_at(found.low), "high": value_at(found.high), "whole": found.whole}
    return {"value": found.value.mean, "half": found.value.half, "n": found.value.n, **ends}


def _knob(knob: Knob) -> dict[str, Any]:
    found = knob.flat
    ends = {"low": value_at(found.low), "high": value_at(found.high), "span": found.span}
    return {"axis": knob.axis, "around": knob.around, **ends, "deviation": found.deviation, "nothing": found.nothing}
