"""The table of responsiveness as texts: how a metric answers to lr and the other axes of a design, in words."""

from __future__ import annotations

from collections.abc import Sequence

from spadam.claims.scale import Scale
from spadam.statistics.design import RESIDUAL, SEED, TIMES
from spadam.statistics.response_curve import NOISE, Sensitivity, Slope, Width
from spadam.sweep.definition.relative_axes import LR
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.response import Knob, Response, value_at
from spadam.text import NOTHING, count, interval, number, share


def rows(outcome: Outcome, found: Sequence[Response]) -> list[tuple[str, ...]]:
    """What is told, and then what every variant has of it."""
    names = (
        "best",
        f"what moves ln {outcome.metric}",
        "seed deviation",
        "slope at the best",
        "slope at the default",
        "within 5 % of the best",
        f"lr sensitivity of {outcome.metric}",
        "the same over the lr of all",
        "what does nothing",
    )
    return list(zip(names, *(_cells(outcome, one) for one in found), strict=True))


def _cells(outcome: Outcome, found: Response) -> tuple[str, ...]:
    return (
        place(outcome, found, found.design.best),
        _moved(outcome, found),
        NOTHING if found.deviation is None else Scale(ratio=True).amount(found.deviation),
        NOTHING if found.at_best is None else _slope(found.at_best),
        _at_default(outcome, found),
        _width(found.width),
        _sensitivity(found.sensitivity),
        _sensitivity(found.common),
        _idle(outcome, found),
    )


def place(outcome: Outcome, found: Response, levels: Sequence[int]) -> str:
    """A point of a design."""
    return ", ".join(f"{outcome.short(axis)} {number(value, 3)}" for axis, value in found.at(levels).items())


def nothing(outcome: Outcome, knob: Knob) -> str:
    """That an axis does nothing, and where."""
    ends = f"between {_number(knob.flat.low)} and {_number(knob.flat.high)}"
    return f"{outcome.short(knob.axis)} does nothing {ends}{', around the default' if knob.around == 'default' else ''}"


def _moved(outcome: Outcome, found: Response) -> str:
    said = [f"{_name(outcome, term.name)} {share(term.share)}" for term in found.terms]
    lost = f"; {found.diverged} of {count(found.design.values.size, 'training')} diverged" if found.diverged else ""
    return ", ".join(said) + lost


def _name(outcome: Outcome, term: str) -> str:
    if term in (SEED, RESIDUAL):
        return "the rest" if term == RESIDUAL else term
    return TIMES.join(outcome.short(axis) for axis in term.split(TIMES))


def _slope(found: Slope) -> str:
    end = {
        "both": "",
        "above": "; upwards only, for the grid begins there",
        "below": "; downwards only, for it ends there",
    }
    return f"{interval(found.slope)} a decade{end[found.side]}"


def _at_default(outcome: Outcome, found: Response) -> str:
    if found.default is None or found.at_default is None:
        return "the grid has no point near the default"
    others = {axis: value for axis, value in found.at(found.default).items() if axis != LR}
    at = {LR: value_at(found.at_default.place), **others}
    where = ", ".join(f"{outcome.short(axis)} {number(value, 3)}" for axis, value in at.items())
    return f"{_slope(found.at_default)} (at {where})"


def _width(found: Width) -> str:
    ends = [side for side, is_open in (("below", found.open_below), ("above", found.open_above)) if is_open]
    return f"{number(found.decades, 2)} decades" + (f", open {' and '.join(ends)}" if ends else "")


def _sensitivity(found: Sensitivity | None) -> str:
    if found is None:
        return NOTHING
    part = "" if found.whole else ", as far as the grid goes"
    return f"{interval(found.value)} over lr {_number(found.low)} to {_number(found.high)}{part}"


def _idle(outcome: Outcome, found: Response) -> str:
    """What does nothing; one place is told once, though it may be around the best and around the default."""
    said: dict[str, None] = {}
    for knob in found.knobs:
        text = nothing(outcome, knob)
        if knob.flat.nothing and not any(text.startswith(other) for other in said):
            said[text] = None
    if said:
        return "; ".join(said)
    moving = list(dict.fromkeys(outcome.short(knob.axis) for knob in found.knobs))
    return f"none: {' and '.join(moving)} {'does' if len(moving) == 1 else 'do'} something" if moving else NOTHING


def _number(level: float) -> str:
    return number(value_at(level), 3)


HOW = (
    "A share is that of the variance of the metric's logarithm over the whole grid. A slope of -0.1 a decade is about "
    "10 % less for ten times the lr. The width is how far lr may be off by while the metric stays within 5 %; it is "
    "open where the grid ends first. The sensitivity to lr is how far the metric lies above its lowest on average, "
    "within 1.5 decades of that (Wortsman et al. 2023). An axis does nothing over two decades where it moves the "
    f"metric by less than {NOISE:g} seed deviations. Intervals are of 95 %, over seeds."
)
"""How it is read."""
