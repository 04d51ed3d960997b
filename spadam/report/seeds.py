"""How the seed repeats of a setting trained: the curve of each, and their median, step by step."""

from __future__ import annotations

import difflib
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from spadam.diagnostics.metric import Metric
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.progress import Search
from spadam.sweep.store.attempts import Record
from spadam.training.curve import curve
from spadam.training.result import RunResult

Point = tuple[int, float | None]
"""A step, and the value that was measured there; None where there was none, or none that is finite."""

_P = TypeVar("_P", bound=tuple[float, float | None])

MOST = 200
"""Points of a line; what is longer is thinned out, for a page holds many lines."""


class Seed(NamedTuple):
    """One training, evaluation by evaluation."""

    record: Record
    points: list[Point]
    lost: bool
    """Whether it diverged."""

    @property
    def end(self) -> tuple[int, float]:
        """Its last step with a value, and that value; every one has some."""
        return next((step, value) for step, value in reversed(self.points) if value is not None)


def trainings(search: Search) -> list[Record]:
    """The trainings that show how the best of ``search`` trains: its repeats, or itself while none is complete."""
    if search.best is None:
        return []
    repeats = [r for r in search.repeats_of(search.best) if r.status not in (None, "pruned")]
    return repeats if any(r.status == "complete" for r in repeats) else [search.best]


def nearest(outcome: Outcome, records: Iterable[Record]) -> str | None:
    """What the evaluations of ``records`` hold of the objective: itself, or what comes closest to it; None if nothing.

    An objective that is measured at the end only has no curve. Closest is a metric of its group with its unit, for
    that goes the same way; of several the one with the most similar name.
    """
    rows = [row for record in records if record.result is not None for row in record.result.evaluations]
    metrics: Mapping[str, Metric] = outcome.sweep.corners[0].task.metrics  # all variants are judged by the same
    held = {name for row in rows for name, value in row.items() if name in metrics and value is not None}
    wanted = metrics[outcome.metric]
    if wanted.name in held:
        return wanted.name
    group = wanted.name.partition("/")[0]
    alike = sorted(name for name in held if name.startswith(f"{group}/") and metrics[name].unit == wanted.unit)
    return next(iter(difflib.get_close_matches(wanted.name, alike, 1, cutoff=0.0)), None)


def seeds(records: Iterable[Record], metric: str) -> list[Seed]:
    """The curves of ``metric``; trainings in which it has no value at all are left out."""
    known = [(record, result) for record in records if (result := record.result) is not None]
    return [seed for record, result in known if (seed := seed_of(record, result, metric)) is not None]


def seed_of(record: Record, result: RunResult, metric: str) -> Seed | None:
    """The curve of ``metric`` in the ``result`` of ``record``; None where it has no value at all."""
    steps = [int(row["step"]) for row in result.evaluations]
    points = list(zip(steps, curve(result.evaluations, metric), strict=True))
    if all(value is None for _, value in points):
        return None
    return Seed(record, points, result.status == "diverged")


def median(found: Sequence[Seed], minimize: bool) -> list[Point]:
    """The median at the steps that every one of ``found`` has, but for those that diverged: they count as the worst.

    So it ends where the first of the others ends, and has no value where half of them or more are lost.
    """
    worst = math.inf if minimize else -math.inf
    whole = [dict(seed.points) for seed in found if not seed.lost]
    steps = sorted(set.intersection(*map(set, whole))) if whole else []
    lost = [dict(seed.points) for seed in found if seed.lost]
    drawn: list[Point] = []
    for step in steps:
        known = [values[step] for values in whole] + [values.get(step) for values in lost]
        middle = statistics.median(worst if value is None else value for value in known)
        drawn.append((step, middle if math.isfinite(middle) else None))
    return drawn


def thinned(points: Sequence[_P], most: int = MOST) -> list[_P]:
    """At most about ``most`` of ``points``: of each run of neighbours the lowest and the highest, and both ends.

    So a spike stays, where every n-th point would lose it; a break stays too.
    """
    if len(points) <= most:
        return list(points)
    long = math.ceil(2 * len(points) / most)
    kept = {0, len(points) - 1}
    for first in range(0, len(points), long):
        run = range(first, min(first + long, len(points)))
        finite = [(value, n) for n in run if (value := points[n][1]) is not None]
        kept |= {min(finite)[1], max(finite)[1]} if finite else {run[0]}
    return [points[n] for n in sorted(kept)]
