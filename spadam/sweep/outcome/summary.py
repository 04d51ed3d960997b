"""The outcome of a sweep in a summary a study: the best, and what its repeats say of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from spadam.statistics.interval import Estimate, estimate
from spadam.sweep.definition.space import Bound, Value
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.notes import notes
from spadam.sweep.outcome.progress import Search, value_of
from spadam.sweep.store.attempts import Record


class StudySummary(NamedTuple):
    """What came of a study: its best, and what its repeats say."""

    variant: str
    study: int
    params: dict[str, Value]
    """Of the best trial; empty when there is none."""
    value: float | None
    """What the best trial had: the smallest of many, so better than it really is."""
    repeats: Estimate | None
    """The objective of the same parameters with fresh seeds."""
    test: Estimate | None
    """test/fvu of the repeats."""
    rows_touched: float | None
    """The mean over the repeats, or of the best trial while there are none."""
    notes: tuple[str, ...]
    """What one must know to read it; see :mod:`spadam.sweep.outcome.notes`."""
    near: Mapping[str, Bound] = MappingProxyType({})
    """The axes on which the best lies close to a bound, and which: a better one may lie beyond it."""


def summarise(sweep: Sweep, searches: Sequence[Search]) -> list[StudySummary]:
    """A summary of every study, in the order of the file."""
    return [_summarise(sweep, search) for search in searches]


def notes_of(studies: Iterable[StudySummary]) -> dict[str, list[str]]:
    """Every note of ``studies`` once, with the variants that it is about."""
    found: dict[str, list[str]] = {}
    for study in studies:
        for note in study.notes:
            if study.variant not in (variants := found.setdefault(note, [])):
                variants.append(study.variant)
    return found


def _summarise(sweep: Sweep, search: Search) -> StudySummary:
    metric = sweep.spec.objective.metric
    axes = sweep.variants[search.variant].axes
    params = (search.best.params(sweep.variants[search.variant]) if search.best else None) or {}
    near = {axis.name: bound for axis in axes if axis.name in params and (bound := axis.near_bound(params[axis.name]))}
    touched = _values(search.repeats, "sparsity/rows_touched")
    if not touched and search.best:
        touched = _values([search.best], "sparsity/rows_touched")
    return StudySummary(
        search.variant,
        search.study,
        params,
        value_of(search.best, metric) if search.best else None,
        estimate(_values(search.repeats, metric)),
        estimate(_values(search.repeats, "test/fvu")),
        math.fsum(touched) / len(touched) if touched else None,
        notes(sweep, search, near),
        near,
    )


def _values(records: Sequence[Record], metric: str) -> list[float]:
    return [value for record in records if (value := value_of(record, metric)) is not None]
