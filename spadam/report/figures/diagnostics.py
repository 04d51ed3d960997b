"""What the diagnostics measured, one by one: against the steps of the training, or once where it was measured once."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spadam.diagnostics.metric import Metric
from spadam.report.axis import Scale
from spadam.report.densities import densities
from spadam.report.drawing import Head, Panel, colour, dots, layout, line, symbol
from spadam.report.markup import fold, join, table
from spadam.report.section import Chip, Section, draw, gap
from spadam.report.seeds import Point, median, seed_of, thinned, trainings
from spadam.sweep.definition.measurable import trained
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.store.attempts import Record
from spadam.text import count, number
from spadam.training.result import RunResult

_ANCHOR, _TITLE = "diagnostics", "What the diagnostics measured"
_HEIGHT = 210
_POINTS, _LONGEST, _SHORTEST = 10_000, 60, 4
"""Points of all lines of the section, and of one line at most and at least: a page of many variants stays small."""

_HEAD = ("metric", "variant", "in the end", "lowest", "highest", "seeds")


class _Values(NamedTuple):
    """A metric as the trainings of one variant have it."""

    path: list[Point]
    """Its median over the seeds, step by step; one point where it was measured once."""
    ends: list[float]
    """What each seed had in the end."""


_Found = Mapping[str, _Values]
"""By variant."""

_Trained = Mapping[str, Sequence[tuple[Record, RunResult]]]
"""Trainings with what they gave, by variant: a result is read once, however many metrics it has."""


def diagnostics(outcome: Outcome) -> Section:
    """A panel for every metric that is neither an error nor a time, with a line or a mark for every variant."""
    records = _records(outcome)
    if not records:
        return gap(_ANCHOR, _TITLE, f"No trial has a finite {outcome.metric} yet, so no setting is the best.")
    measured = {m: found for m in _wanted(outcome) if (found := _values(records, m.name))}
    varied = {m: found for m, found in measured.items() if not _is_constant(found)}
    steady = {m: found for m, found in measured.items() if m not in varied}
    histogram = densities(outcome, {name: [one for _, one in mine] for name, mine in records.items()}, _HEIGHT)
    if not measured and histogram is None:
        return gap(_ANCHOR, _TITLE, "No diagnostic has measured anything.")
    lines = sum(len(found) for found in varied.values())
    most = max(_SHORTEST, min(_LONGEST, _POINTS // max(1, lines)))
    panels = [_panel(outcome, metric, found, most) for metric, found in varied.items()]
    panels += [histogram] if histogram is not None else []
    body = [
        (metric.name, name, *(number(value, 5) for value in _spread(mine.ends)), str(len(mine.ends)))
        for metric, found in measured.items()
        for name, mine in found.items()
    ]
    chips = [
        Chip(outcome.number_of(name), name, count(len(mine), "seed" if _repeated(mine) else "trial"))
        for name, mine in records.items()
    ]
    reading = _reading(records, steady)
    drawn = draw(_ANCHOR, _TITLE, reading, panels, _HEAD, body, legend=chips)
    defined = table(
        ("metric", "unit", "over", "how"),
        [(metric.name, metric.unit, metric.over, metric.formula) for metric in measured],
        "words",
    )
    return drawn._replace(html=join([drawn.html, fold("What each of them is", defined)]))


def _records(outcome: Outcome) -> _Trained:
    """The complete trainings of the best setting of every variant."""
    found = {name: trainings(best[0]) for name in outcome.sweep.variants if (best := outcome.best_first(name))}
    complete = {
        name: [(one, one.result) for one in mine if one.status == "complete" and one.result is not None]
        for name, mine in found.items()
    }
    return {name: mine for name, mine in complete.items() if mine}


def _wanted(outcome: Outcome) -> list[Metric]:
    known = {name: metric for _, config in trained(outcome.sweep) for name, metric in config.task.metrics.items()}
    return [
        metric
        for name, metric in known.items()
        if not (metric.error or metric.is_time or metric.array or name in outcome.metrics)
    ]


def _values(records: _Trained, metric: str) -> dict[str, _Values]:
    """What every variant has of ``metric``; variants that have none are left out."""
    found = {}
    for name, mine in records.items():
        ends = [value for _, result in mine if (value := result.metrics.get(metric)) is not None]
        found_seeds = [seed for one in mine if (seed := seed_of(*one, metric)) is not None]
        path = median(found_seeds, minimize=True)
        if not path and ends:
            path = [(_last_step(mine), statistics.median(ends))]
        if ends or any(value is not None for _, value in path):
            found[name] = _Values(path, ends)
    return found


def _last_step(mine: Sequence[tuple[Record, RunResult]]) -> int:
    return max((int(row["step"]) for _, result in mine for row in result.evaluations), default=0)


def _is_constant(found: _Found) -> bool:
    """Whether it was the same number at every step of every training."""
    on_the_way = {value for mine in found.values() for _, value in mine.path if value is not None}
    return len(on_the_way | _ends(found)) == 1


def _ends(found: _Found) -> set[float]:
    return {value for mine in found.values() for value in mine.ends}


def _spread(ends: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """The median, the lowest and the highest."""
    return (statistics.median(ends), min(ends), max(ends)) if ends else (None, None, None)


def _repeated(mine: Sequence[tuple[Record, RunResult]]) -> bool:
    return mine[0][0].slot.phase == "repeat"


def _reading(records: _Trained, steady: Mapping[Metric, _Found]) -> str:
    reading = (
        "Everything that was measured beside errors and times, of the best setting of every variant. A line is the "
        "median of the seeds at the evaluations of a training, with a mark at its end; what was measured once has a "
        "mark for every seed, side by side by variant. Nothing here says which variant is better."
    )
    if alone := [name for name, mine in records.items() if not _repeated(mine)]:
        who = "All are" if len(alone) == len(records) else f"{', '.join(alone)}:"
        reading += f" {who} the best trial of the search, for no repeat is complete yet."
    if steady:
        said = ", ".join(f"{metric.name} {number(min(_ends(found)))}" for metric, found in steady.items())
        reading += f" Not drawn, for it was the same at every step of every training: {said}."
    return reading


def _panel(outcome: Outcome, metric: Metric, found: _Found, most: int) -> Panel:
    drawn = _curves if any(len(mine.path) > 1 for mine in found.values()) else _marks
    data, xaxis, values = drawn(outcome, found, most)
    said = "; ".join(f"{name} {number(_spread(mine.ends)[0])}" for name, mine in found.items())
    label = f"{metric.name} ({metric.unit}), in the end: {said}"
    axes = layout(xaxis, Scale.over(values, room=0.08).axis(metric.unit))
    return Panel(data, axes, _HEIGHT, label, Head(metric.name, metric.over))


_Drawn = tuple[list[dict[str, Any]], dict[str, Any], list[float]]
"""Traces, the axis across, and the values that the axis upwards must hold."""


def _curves(outcome: Outcome, found: _Found, most: int) -> _Drawn:
    data, values = [], []
    for name, mine in found.items():
        variant, path = outcome.number_of(name), thinned(mine.path, most)
        known = [(step, value) for step, value in mine.path if value is not None]
        data.append(
            line([step for step, _ in path], [_short(value) for _, value in path], color=colour(variant), width=2)
        )
        if known:
            step, value = known[-1]
            _, low, high = _spread(mine.ends)
            hover = f"{name}, step {step}\nmedian {number(value)}, seeds {number(low)} to {number(high)}"
            style = {"size": 8, "color": colour(variant), "symbol": symbol(variant)}
            data.append(dots([step], [value], [hover], **style))
        values += [value for _, value in known]
    last = max(step for mine in found.values() for step, _ in mine.path)
    return data, Scale(0.0, 1.03 * last or 1.0, False).axis("step"), values


def _marks(outcome: Outcome, found: _Found, _: int) -> _Drawn:
    data, values = [], []
    for name, mine in found.items():
        variant = outcome.number_of(name)
        hover = [f"{name}: {number(value)}" for value in mine.ends]
        style = {"size": 8, "opacity": 0.6, "color": colour(variant), "symbol": symbol(variant)}
        data.append(dots([variant] * len(mine.ends), mine.ends, hover, **style))
        values += mine.ends
    last = len(outcome.sweep.variants) - 0.5
    return data, Scale(-0.5, last, False).axis("variants", showticklabels=False, showgrid=False), values


def _short(value: float | None) -> float | None:
    """With as many digits as are seen."""
    return None if value is None else float(f"{value:.5g}")
