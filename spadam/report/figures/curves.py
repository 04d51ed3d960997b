"""Learning curves: how the best setting of every variant trains, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spadam.report.axis import Scale, upright
from spadam.report.drawing import MOST_BEHIND, Head, Panel, colour, crosses, dots, layout, line, symbol
from spadam.report.section import MOST_ROWS, Section, draw, gap
from spadam.report.seeds import MOST, Point, Seed, median, nearest, seeds, thinned, trainings
from spadam.sweep.outcome.outcome import Outcome
from spadam.text import count, number

_ANCHOR, _TITLE = "curves", "Learning curves"
_HEIGHT = 250
_MARKED = 12
"""Points of a median that have a mark, evenly over its length: enough to tell lines apart, and to point at."""

_POINTS, _SHORTEST = 24_000, 8
"""Points of all lines of the figure, and at least of one."""
_FEWEST = 6
"""Steps of a variant in the table, at least."""

_HEAD = ("variant", "step", "median", "lowest", "highest", "seeds")


def curves(outcome: Outcome) -> Section:
    """A panel for every variant, all on the same axes: its seeds thin, their median thick."""
    records = {name: trainings(best[0]) for name in outcome.sweep.variants if (best := outcome.best_first(name))}
    if not records:
        return gap(_ANCHOR, _TITLE, f"No trial has a finite {outcome.metric} yet, so no setting is the best.")
    metric = nearest(outcome, (record for mine in records.values() for record in mine))
    if metric is None:
        return gap(_ANCHOR, _TITLE, f"No evaluation within a training holds {outcome.metric}, or a metric like it.")
    found = {name: mine for name in records if (mine := seeds(records[name], metric))}
    medians = {name: median(mine, outcome.minimize) for name, mine in found.items()}
    height = _height(found, outcome.minimize)
    side = Scale(0.0, 1.02 * max(seed.end[0] for mine in found.values() for seed in mine) or 1.0, False)
    many = sum(len(mine) + min(len(found), MOST_BEHIND) for mine in found.values())
    drawing = _Drawing(found, medians, side, height, max(_SHORTEST, min(MOST, _POINTS // many)))
    panels = [_panel(outcome, name, metric, drawing) for name in found]
    absent = [name for name in outcome.sweep.variants if name not in found]
    missing = [f"Not drawn, for want of a curve: {', '.join(absent)}."] if absent else []
    steps = max(_FEWEST, MOST_ROWS // len(found))
    body = [row for name, mine in found.items() for row in _numbers(name, mine, medians[name], steps)]
    reading = _reading(outcome, metric, found, height)
    return draw(_ANCHOR, _TITLE, reading, panels, _HEAD, body, missing=missing)


def _height(found: Mapping[str, Sequence[Seed]], minimize: bool) -> Scale:
    """The axis of what was reached in training; the start, where nothing was learnt yet, would flatten all the rest."""
    points = [point for mine in found.values() for seed in mine for point in seed.points]
    trained = [value for step, value in points if step > 0 and value is not None]
    return upright(trained or [value for _, value in points if value is not None], minimize)


def _reading(outcome: Outcome, metric: str, found: Mapping[str, Sequence[Seed]], height: Scale) -> str:
    everything = [seed for mine in found.values() for seed in mine]
    reading = f"{metric} at every evaluation of a training, against the steps before it ({outcome.better})."
    if metric != outcome.metric:
        reading = f"{outcome.metric} is measured at the end only, so this is {metric}, the nearest to it. {reading}"
    begun = [value for seed in everything for step, value in seed.points if step == 0 and value is not None]
    if begun and not height.low <= min(begun) <= max(begun) <= height.high:
        ends = " to ".join(dict.fromkeys((number(min(begun), 3), number(max(begun), 3))))
        reading += f" Before training it was {ends}, beyond the axis."
    if any(seed.record.slot.phase == "repeat" for seed in everything):
        reading += (
            " A thin line is a repeat of the variant's best setting with a fresh seed, the thick one their median. A "
            "line that still falls at its end was trained too briefly to be judged."
        ).replace("falls", "falls" if outcome.minimize else "rises")
    if 1 < len(found) <= MOST_BEHIND:
        reading += " Thin grey lines are the medians of the other variants."
    if alone := [name for name, mine in found.items() if mine[0].record.slot.phase == "search"]:
        who = "All are" if len(alone) == len(found) else f"{', '.join(alone)}:"
        reading += f" {who} the best trial of the search, for no repeat is complete yet."
    if any(seed.lost for seed in everything):
        reading += " A cross ends a training that diverged; the median counts it as the worst from there on."
    if len({seed.end[0] for seed in everything if not seed.lost}) > 1:
        reading += " Trainings differ in length; a median ends where the first of its seeds ends."
    return reading


class _Drawing(NamedTuple):
    """What all panels share."""

    found: Mapping[str, Sequence[Seed]]
    medians: Mapping[str, list[Point]]
    side: Scale
    height: Scale
    points: int
    """So many a line has at most."""


def _panel(outcome: Outcome, name: str, metric: str, drawing: _Drawing) -> Panel:
    found, medians, side, height, points = drawing
    variant, mine = outcome.number_of(name), found[name]
    others = [other for other in found if other != name] if len(found) <= MOST_BEHIND else []
    data = [_path(medians[other], points, color="var(--ghost)", width=1.5) for other in others]
    if len(mine) > 1:
        data += [_path(seed.points, points, color=colour(variant), width=1) for seed in mine]
    data.append(_path(medians[name], points, color=colour(variant), width=2.5))
    data.append(_marks(name, medians[name], variant, height))
    lost = [seed for seed in mine if seed.lost]
    told = [f"{name} {seed.record.slot.label}\ndiverged after step {seed.end[0]}" for seed in lost]
    data.append(crosses([seed.end[0] for seed in lost], [height.clip(seed.end[1]) for seed in lost], told))
    said = _said(mine, medians[name])
    label = f"{name}: {metric} against step, {said}"
    return Panel(data, layout(side.axis("step"), height.axis(metric)), _HEIGHT, label, Head(name, said, variant))


def _path(points: Sequence[Point], most: int, **style: Any) -> dict[str, Any]:
    drawn = thinned(points, most)
    return line([step for step, _ in drawn], [value for _, value in drawn], **style)


def _marks(name: str, points: Sequence[Point], variant: int, height: Scale) -> dict[str, Any]:
    known = [(step, y) for step, y in points if y is not None and height.low <= y <= height.high]
    places = {round(n * (len(known) - 1) / (_MARKED - 1)) for n in range(_MARKED)} if known else set()
    marked = [known[place] for place in sorted(places)]
    hover = [f"{name}, step {step}\nmedian {number(value)}" for step, value in marked]
    style = {"size": 7, "color": colour(variant), "symbol": symbol(variant)}
    return dots([step for step, _ in marked], [value for _, value in marked], hover, **style)


def _said(mine: Sequence[Seed], middle: Sequence[Point]) -> str:
    """How many seeds they are, and where their median ends."""
    lost = sum(seed.lost for seed in mine)
    repeats = mine[0].record.slot.phase == "repeat"
    who = f"{count(len(mine), 'seed')}" if repeats else f"{mine[0].record.slot.label}, no repeat yet"
    end = next(((step, value) for step, value in reversed(middle) if value is not None), None)
    ends = "no median" if end is None else f"{'median ' if len(mine) > 1 else ''}{number(end[1])} at step {end[0]}"
    return f"{who}, {ends}" + (f"; {lost} diverged" if lost else "")


def _numbers(name: str, mine: Sequence[Seed], middle: Sequence[Point], most: int) -> list[tuple[str, ...]]:
    """At about ``most`` steps, what all of ``mine`` had."""
    known, values = dict(middle), [dict(seed.points) for seed in mine]
    rows = []
    for step, _ in thinned(middle or mine[0].points, min(MOST, most)):
        here = [value for seed in values if (value := seed.get(step)) is not None]
        lowest, highest = (min(here), max(here)) if here else (None, None)
        told = (number(value, 5) for value in (known.get(step), lowest, highest))
        rows.append((name, str(step), *told, str(len(here))))
    return rows
