"""What the trainings of every variant cost in wall time, and on what that was measured."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from spadam.report.axis import Scale
from spadam.report.drawing import Panel, colour, dots, line, rowed, symbol
from spadam.report.section import Section, draw, gap
from spadam.statistics.interval import Estimate, estimate
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.store.attempts import Record
from spadam.text import count, duration, interval_text, number, share

_ANCHOR, _TITLE = "cost", "Cost"
_STEP, _UPDATE = "time/step_ms", "time/optimizer_ms"

_HEAD = (
    *("variant", "a search trial", "a repeat", "step, ms", "of it the optimizer, ms", "share"),
    *("trainings", "in all"),
)


class _Cost(NamedTuple):
    """What a variant costs."""

    name: str
    variant: int
    trials: list[float]
    """Seconds of every search trial that was trained to its end; repeats measure more, so they are apart."""
    repeats: list[float]
    steps: list[float]
    """Of each of these trainings the median time of a step, in milliseconds."""
    updates: list[float]
    """The same of clipping and update alone."""
    trainings: int
    """Everything that has ended, cut short or not."""
    seconds: float
    """What all of it took."""


def cost(outcome: Outcome) -> Section:
    """Panels of a step and of a training, and everything in a table, by variant."""
    found = [_cost(outcome, name) for name in outcome.sweep.variants]
    panels = [panel for draw_one in (_steps, _trainings) if (panel := draw_one(found)) is not None]
    if not panels:
        return gap(_ANCHOR, _TITLE, "No training has ended yet, so no time was measured.")
    return draw(_ANCHOR, _TITLE, _reading(outcome, found), panels, _HEAD, map(_numbers, found), wide=True)


def _cost(outcome: Outcome, name: str) -> _Cost:
    mine = outcome.of_variant(name)
    records = [record for search in mine for record in (*search.records, *search.superseded)]
    whole = [record for record in records if record.status == "complete"]
    took = [seconds for record in records if (seconds := _seconds(record)) is not None]
    return _Cost(
        name,
        outcome.number_of(name),
        [seconds for r in whole if r.slot.phase == "search" and (seconds := _seconds(r)) is not None],
        [seconds for r in whole if r.slot.phase == "repeat" and (seconds := _seconds(r)) is not None],
        [value for record in whole if (value := outcome.value(record, _STEP)) is not None],
        [value for record in whole if (value := outcome.value(record, _UPDATE)) is not None],
        len(took),
        math.fsum(took),
    )


def _seconds(record: Record) -> float | None:
    glance = record.glance
    seconds = None if glance is None else glance["provenance"].get("seconds")
    return None if seconds is None else float(seconds)


def _reading(outcome: Outcome, found: Sequence[_Cost]) -> str:
    reading = (
        "Wall time, with 95 % intervals over the trainings that came to their end. A step's time is the median of the "
        "training's steps; the bar is the whole step, the mark the part that clipping and the optimizer's update take. "
    )
    all_in, many = sum(one.seconds for one in found), sum(one.trainings for one in found)
    reading += f"All {count(many, 'training')} together took {duration(all_in)}"
    places = _places(outcome)
    reading += f", measured on {'; '.join(places)}." if places else "."
    if len(places) > 1:
        reading += " Trainings on unlike machines are mixed here, so variants differ by where they were trained too."
    return reading + (
        " Whatever else ran on the machine, other trainings of the sweep among it, is in these times; `spadam bench` "
        "measures steps alone."
    )


def _places(outcome: Outcome) -> list[str]:
    """On what trainings ran, in words, the most frequent first; nothing where they do not say."""
    counts: Counter[str] = Counter()
    for one in (result.provenance for result in outcome.results):
        if "device" in one:
            threads = count(one["threads"], "thread")
            counts[f"{one['device']}, {threads} a training, {one['kernels']} kernels, {one['platform']}"] += 1
    return [place if len(counts) == 1 else f"{place} ({many})" for place, many in counts.most_common()]


def _steps(found: Sequence[_Cost]) -> Panel | None:
    return _panel(found, lambda one: one.steps, lambda one: one.updates, "ms", "a step, and the optimizer in it")


def _trainings(found: Sequence[_Cost]) -> Panel | None:
    if any(one.repeats for one in found):
        return _panel(found, lambda one: one.repeats, None, "s", "a repeat")
    return _panel(found, lambda one: one.trials, None, "s", "a search trial")


_Measured = Callable[[_Cost], Sequence[float]]


def _panel(found: Sequence[_Cost], whole: _Measured, part: _Measured | None, unit: str, head: str) -> Panel | None:
    """A bar for every variant from 0 to its mean, with its interval, and where there is a ``part`` a mark at that."""
    data: list[dict[str, Any]] = []
    rows, ends = [], [0.0]
    for row, one in enumerate(found):
        mean = estimate(whole(one))
        mine = estimate(part(one)) if part is not None else None
        rows.append((one.name, _said(mean, mine, unit)))
        if mean is None:
            continue
        style = {"color": colour(one.variant), "symbol": symbol(one.variant), "size": 12}
        half = mean.half or 0.0
        data.append(line([0.0, mean.mean], [row, row], color="var(--ghost)", width=7))
        data.append(line([mean.mean - half, mean.mean + half], [row, row], color=colour(one.variant), width=3))
        marked = mean if part is None else mine
        if marked is not None:
            data.append(dots([marked.mean], [row], [f"{one.name}: {interval_text(marked)} {unit}"], **style))
        ends.append(mean.mean + half)
    if len(ends) == 1:
        return None
    label = f"{head}, {unit}: {'; '.join(f'{name} {said}' for name, said in rows)}"
    return rowed(Scale.over(ends, log=False), unit, rows, data, label, head)


def _said(mean: Estimate | None, part: Estimate | None, unit: str) -> str:
    if mean is None:
        return "–"
    of = "" if part is None else f", {number(part.mean, 3)} in the optimizer"
    return f"{number(mean.mean, 3)} {unit}{of}"


def _numbers(one: _Cost) -> tuple[str, ...]:
    step, update = estimate(one.steps), estimate(one.updates)
    part = None if step is None or update is None or not step.mean else update.mean / step.mean
    return (
        one.name,
        *(_time(estimate(seconds)) for seconds in (one.trials, one.repeats)),
        interval_text(step),
        interval_text(update),
        share(part),
        str(one.trainings),
        duration(one.seconds),
    )


def _time(mean: Estimate | None) -> str:
    return "–" if mean is None else f"{interval_text(mean)} s"
