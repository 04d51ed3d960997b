"""Responsiveness: a design's mean over seeds against lr, and what it says of lr and eps in words and numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from spadam.report.axis import Scale, upright
from spadam.report.drawing import Head, Panel, colour, crosses, dots, layout, line, symbol
from spadam.report.markup import Html, join, paragraph, table, tag
from spadam.report.responses import HOW, place, rows
from spadam.report.section import Chip, Section, draw, evenly, gap
from spadam.statistics.interval import ENOUGH
from spadam.sweep.definition.relative_axes import EPS, LR
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.response import Response
from spadam.text import count, number

_ANCHOR, _TITLE = "responsiveness", "Responsiveness"
_HEIGHT = 280
_MOST_LINES = 9
"""Lines of a variant; of more levels of the second axis, so many evenly over them."""


class _Line(NamedTuple):
    """A curve of a variant."""

    found: Response
    at: tuple[int, ...]
    """The levels that it runs through; that of lr does not count."""
    opacity: float


class _Point(NamedTuple):
    """A point of it."""

    lr: float
    mean: float
    """Over all seeds; one that diverged counts as the worst."""
    low: float | None
    """The lowest that a seed had; None where all diverged."""
    high: float | None
    lost: int
    """So many diverged."""
    said: str
    """All of it in words."""


def responsiveness(outcome: Outcome) -> Section:
    """A table in words, and the curves behind it: one panel, or one a variant where a second axis is searched."""
    found, missing = outcome.responses
    if not found:
        why = "; ".join(dict.fromkeys(missing.values()))
        return gap(_ANCHOR, _TITLE, f"No responsiveness: it takes a full grid with several seeds. Here: {why}.")
    lines = [each for one in found for each in _lines(one)]
    points = [point for each in lines for point in _points(outcome, each)]
    height = upright([point.mean for point in points if point.low is not None], minimize=True)
    side = Scale.over([point.lr for point in points], log=True, room=0.04)
    one_panel = not any(_second(one) for one in found)
    if not one_panel:
        panels = [_own(outcome, one, side, height) for one in found]
        chips = []
    else:
        panels = [_shared(outcome, lines, side, height)]
        chips = [Chip(outcome.number_of(one.variant), one.variant, _best(outcome, one)) for one in found]
    columns = list(dict.fromkeys(axis for one in found for axis in one.design.axes))
    top = ("variant", *map(outcome.short, columns), "mean", "lowest", "highest", "seeds", "diverged")
    absent = [f"Not drawn: {name} ({why})." for name, why in missing.items()]
    body = [row for one in found for row in _numbers(one, columns)]
    reading = _reading(outcome, found)
    drawn = draw(_ANCHOR, _TITLE, reading, panels, top, body, missing=absent, legend=chips, wide=one_panel)
    return drawn._replace(html=join([_table(outcome, found), drawn.html]))


def _table(outcome: Outcome, found: Sequence[Response]) -> Html:
    shown = table(("", *(one.variant for one in found)), rows(outcome, found), "cards words")
    return join([paragraph(HOW, "reading"), tag("div", shown, class_="scroll")])


def _reading(outcome: Outcome, found: Sequence[Response]) -> str:
    seeds = min(one.seeds for one in found)
    reading = (
        f"The geometric mean of {outcome.metric} over {count(seeds, 'seed')} at each lr of the grid (lower is better). "
        "Bars reach from the lowest to the highest seed."
    )
    if seeds < ENOUGH:
        reading += f" Fewer than {ENOUGH} seeds give wide intervals."
    if second := next((axis for one in found if (axis := _second(one))), None):
        reading += f" A line for every {outcome.short(second)}: the paler, the smaller."
    if any(len(one.design.axes) > 2 for one in found):
        reading += " Further axes are as in the best."
    if any(one.diverged for one in found):
        reading += (
            " A cross at the top is a training that diverged; in means and numbers it counts as the worst value of the "
            "sweep, in the end or at step 0."
        )
    return reading


def _second(found: Response) -> str | None:
    """The axis beside lr that lines are drawn for: eps where there is one."""
    others = [
        axis for axis, at in zip(found.design.axes, found.design.levels, strict=True) if axis != LR and len(at) > 1
    ]
    return min(others, key=lambda axis: axis != EPS, default=None)


def _lines(found: Response) -> list[_Line]:
    """From the smallest to the largest of the second axis."""
    best, second = found.design.best, _second(found)
    if second is None:
        return [_Line(found, best, 1.0)]
    number = found.design.axes.index(second)
    many = len(found.design.levels[number])
    levels = [tuple(n if axis == number else level for axis, level in enumerate(best)) for n in range(many)]
    drawn = [_Line(found, at, round(0.25 + 0.75 * n / (many - 1), 2)) for n, at in enumerate(levels)]
    return evenly(drawn, _MOST_LINES)


def _own(outcome: Outcome, found: Response, side: Scale, height: Scale) -> Panel:
    said = _best(outcome, found)
    label = f"{found.variant}: {outcome.metric} against lr, the mean over {count(found.seeds, 'seed')}, {said}"
    data = [trace for each in _lines(found) for trace in _drawn(outcome, each, height)]
    axes = layout(side.axis("lr"), height.axis(outcome.metric))
    return Panel(data, axes, _HEIGHT, label, Head(found.variant, said, outcome.number_of(found.variant)))


def _shared(outcome: Outcome, lines: Sequence[_Line], side: Scale, height: Scale) -> Panel:
    said = "; ".join(f"{each.found.variant} {_best(outcome, each.found)}" for each in lines)
    data = [trace for each in lines for trace in _drawn(outcome, each, height)]
    axes = layout(side.axis("lr"), height.axis(outcome.metric))
    return Panel(data, axes, _HEIGHT, f"{outcome.metric} against lr, {said}", Head(f"{outcome.metric} against lr"))


def _best(outcome: Outcome, found: Response) -> str:
    best = found.design.best
    lost = f"; {found.diverged} diverged" if found.diverged else ""
    return f"best {number(math.exp(found.design.logs[best].mean()))} at {place(outcome, found, best)}{lost}"


def _drawn(outcome: Outcome, each: _Line, height: Scale) -> Iterator[dict[str, Any]]:
    """The line through the means, broken where every training diverged, a bar for each, marks, and crosses."""
    variant, faint = outcome.number_of(each.found.variant), {"opacity": each.opacity}
    points = _points(outcome, each)
    heights = [None if one.low is None else height.clip(one.mean) for one in points]
    yield line([one.lr for one in points], heights, color=colour(variant), width=2) | faint
    marked = [one for one in points if one.low is not None]
    top = height.at(0.97)
    bars = [(one.lr, end) for one in marked for end in (one.low, top if one.lost else one.high, None)]
    ends = [None if end is None else height.clip(end) for _, end in bars]
    yield line([x for x, _ in bars], ends, color=colour(variant), width=1.5) | faint
    style = {"color": colour(variant), "symbol": symbol(variant), "size": 7} | faint
    shown = [height.clip(one.mean) for one in marked]
    yield dots([one.lr for one in marked], shown, [one.said for one in marked], **style)
    lost = [one for one in points if one.lost]
    yield crosses([one.lr for one in lost], [top] * len(lost), [one.said for one in lost])


def _points(outcome: Outcome, each: _Line) -> list[_Point]:
    """In the order of lr."""
    lr = each.found.design.axes.index(LR)
    levels = range(len(each.found.design.levels[lr]))
    return [_point(outcome, each.found, (*each.at[:lr], level, *each.at[lr + 1 :])) for level in levels]


def _point(outcome: Outcome, found: Response, at: tuple[int, ...]) -> _Point:
    low, high, lost = _spread(found, at)
    mean = math.exp(found.design.logs[at].mean())
    came = "" if low is None else f"{outcome.metric} {number(mean)}, seeds {number(low)} to {number(high)}"
    came += f"\n{lost} of {found.seeds} diverged" if lost else ""
    lr = found.at(at)[LR]
    assert isinstance(lr, float), "of an axis that is ordered"
    return _Point(lr, mean, low, high, lost, f"{found.variant}, {place(outcome, found, at)}\n{came}")


def _spread(found: Response, at: tuple[int, ...]) -> tuple[float | None, float | None, int]:
    """The lowest and the highest that a seed had, and how many diverged."""
    values_S, lost_S = found.design.values[at], found.design.diverged[at]
    kept = [float(value) for value in values_S[~lost_S]]
    return min(kept, default=None), max(kept, default=None), int(lost_S.sum())


def _numbers(found: Response, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Every point of the grid."""
    for at in itertools.product(*(range(len(levels)) for levels in found.design.levels)):
        where, (low, high, lost) = found.at(at), _spread(found, at)
        told = (math.exp(found.design.logs[at].mean()), low, high)
        places = (number(where.get(axis), 4) for axis in columns)
        yield (found.variant, *places, *(number(value, 5) for value in told), str(found.seeds), str(lost))
