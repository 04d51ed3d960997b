"""The outcome of a sweep in a summary a study: the best, or its front, and what repeats say of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from spadam.statistics.interval import Estimate, estimate
from spadam.sweep.definition.columns import PROBE, columns
from spadam.sweep.definition.space import Bound, Value
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.notes import notes
from spadam.sweep.outcome.progress import Search, value_of
from spadam.sweep.outcome.range_advice import near_bounds
from spadam.sweep.search.objective import judge
from spadam.sweep.store.attempts import Record


class Column(NamedTuple):
    """A metric beside the objective."""

    mean: float | None
    """Over the repeats, or of the trial while there are none."""
    repeats: Estimate | None
    """With its interval."""


class OfStudy(Protocol):
    """Whatever is of one study of one variant."""

    @property
    def variant(self) -> str: ...  # noqa: D102

    @property
    def study(self) -> int: ...  # noqa: D102


class StudySummary(NamedTuple):
    """What came of a study, or of a trial on its front: a setting, and what its repeats say."""

    variant: str
    study: int
    params: dict[str, Value]
    """Of the best trial; empty when there is none."""
    values: tuple[float | None, ...]
    """What that trial had of each metric that is compared: the smallest of many, so better than it really is."""
    repeats: tuple[Estimate | None, ...]
    """Each of these metrics, of the same parameters with fresh seeds."""
    columns: Mapping[str, Column]
    """What the sweep's file asks to be shown beside them, by metric; and the probe's accuracy on the test split."""
    notes: tuple[str, ...]
    """What one must know to read it; see :mod:`spadam.sweep.outcome.notes`. Those of a front stand at its first."""
    near: Mapping[str, Bound] = MappingProxyType({})
    """The axes on which the best lies close to a bound, and which: a better one may lie beyond it."""
    label: str = ""
    """Of a trial on a front, how it is called."""
    outside: bool = False
    """Whether it lies outside the bands, for want of one that does not."""

    @property
    def value(self) -> float | None:
        """What the trial had of the objective, or of the first metric that is compared."""
        return self.values[0]


def summarise(sweep: Sweep, searches: Sequence[Search]) -> list[StudySummary]:
    """A summary of every study in the order of the file, or of every trial on its front."""
    shown = dict.fromkeys((*columns(sweep), PROBE))
    return [line for search in searches for line in _summarise(sweep, search, shown)]


def notes_of(studies: Iterable[StudySummary]) -> dict[str, list[str]]:
    """Every note of ``studies`` once, with the variants that it is about."""
    found: dict[str, list[str]] = {}
    for study in studies:
        for note in study.notes:
            if study.variant not in (variants := found.setdefault(note, [])):
                variants.append(study.variant)
    return found


def _summarise(sweep: Sweep, search: Search, shown: Iterable[str]) -> Iterator[StudySummary]:
    near = near_bounds(sweep, search)
    notes_left = notes(sweep, search, near)
    ours, metrics = judge(sweep.spec.objective), sweep.spec.objective.metrics
    for record in search.front or (search.best,):
        repeats = search.repeats_of(record) if record is not None else search.repeats
        yield StudySummary(
            search.variant,
            search.study,
            (record.params(sweep.variants[search.variant]) if record is not None else None) or {},
            tuple(value_of(record, metric) if record is not None else None for metric in metrics),
            tuple(estimate(_values(repeats, metric)) for metric in metrics),
            {metric: _column(record, repeats, metric) for metric in shown},
            notes_left,
            near,
            record.slot.label if search.front and record is not None else "",
            record is not None and bool(ours.distance(record.metrics)),
        )
        notes_left = ()


def _column(record: Record | None, repeats: Sequence[Record], metric: str) -> Column:
    found = _values(repeats, metric)
    known = found or ([] if record is None else _values([record], metric))
    return Column(math.fsum(known) / len(known) if known else None, estimate(found))


def _values(records: Sequence[Record], metric: str) -> list[float]:
    return [value for record in records if (value := value_of(record, metric)) is not None]
