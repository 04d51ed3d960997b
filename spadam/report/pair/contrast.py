"""How far two sweeps lie apart in what came of the variants that both have.

A *contrast* is one metric of one variant's tuned setting, in the second sweep less in the first. Repeats with the same
seeds are paired, for the seed decides on weights and order in both; others are taken as two independent samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from spadam.claims.scale import Scale
from spadam.diagnostics.metric import Metric
from spadam.statistics.interval import Estimate, estimate
from spadam.statistics.paired import Interval, interval
from spadam.statistics.unpaired import welch
from spadam.sweep.definition.claims import scale_of
from spadam.sweep.definition.columns import columns
from spadam.sweep.definition.measurable import trained
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.progress import Search
from spadam.text import count

LEVEL = 0.95

How = Literal["identical", "paired", "unpaired", "none"]
"""Equal to the last bit, seed by seed; compared seed by seed; as two samples; or not at all, for want of values."""

_STEP = "time/step_ms"
"""Told beside what the sweeps ask for: another release or machine shows in it first."""


class Contrast(NamedTuple):
    """A metric of a variant's tuned setting in both sweeps."""

    variant: str
    study: int
    metric: str
    scale: Scale
    first: Mapping[int, float]
    """What the complete repeats of the first sweep have, by seed."""
    second: Mapping[int, float]
    how: How
    difference: Interval | None
    """Second less first, of errors of their logarithms."""

    @property
    def estimates(self) -> tuple[Estimate | None, Estimate | None]:
        """The mean of each with its interval."""
        return estimate(list(self.first.values())), estimate(list(self.second.values()))

    def said(self) -> str:
        """The difference in words."""
        found, signed = self.difference, self.scale.signed
        if self.how == "identical":
            return f"identical to the last bit ({count(len(self.first), 'seed')})"
        if found is None:
            return "–"
        points = " points" if self.scale.share and not self.scale.ratio else ""
        if not math.isfinite(found.high - found.low):
            return f"{signed(found.mean)}{points}, one seed: no interval"
        ends = f"{signed(found.low, found.mean)} to {signed(found.high, found.mean)}"
        return f"{signed(found.mean)}{points} ({ends}), {self.how}"

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        found = self.difference
        ends = [] if found is None else [found.low, found.high]
        return {
            "variant": self.variant,
            "study": self.study,
            "metric": self.metric,
            "first": _plain(self.estimates[0]),
            "second": _plain(self.estimates[1]),
            "how": self.how,
            "ratio": self.scale.ratio,
            "effect": None if found is None else found.mean,
            "interval": ends if ends and all(map(math.isfinite, ends)) else None,
            "level": LEVEL,
        }


def contrasts(first: Outcome, second: Outcome) -> list[Contrast]:
    """Every metric that is told, of every variant and study that both have, in the order of the first sweep."""
    theirs = {(search.variant, search.study): search for search in second.searches}
    metrics = list(_told(first, second))
    return [
        _contrast(first, second, (mine, other), metric)
        for mine in first.searches
        if (other := theirs.get((mine.variant, mine.study))) is not None
        for metric in metrics
    ]


def _told(first: Outcome, second: Outcome) -> Iterator[Metric]:
    """The objectives of both, all that is measured on test samples, the columns of both, and a step's time."""
    known, others = (
        {name: metric for _, config in trained(one.sweep) for name, metric in config.task.metrics.items()}
        for one in (first, second)
    )
    tested = [name for name, metric in known.items() if metric.split == "test"]
    shown = (*first.metrics, *second.metrics, *tested, *columns(first.sweep), *columns(second.sweep), _STEP)
    for name in dict.fromkeys(shown):
        if name in known and name in others and not known[name].array:
            yield known[name]


def _contrast(first: Outcome, second: Outcome, searches: tuple[Search, Search], metric: Metric) -> Contrast:
    mine, theirs = (_values(*each, metric.name) for each in zip((first, second), searches, strict=True))
    scale = scale_of(metric)
    if min([*mine.values(), *theirs.values()], default=1.0) <= 0:
        scale = scale._replace(ratio=False)  # what is 0 has no logarithm
    how, difference = _difference(mine, theirs, scale)
    return Contrast(searches[0].variant, searches[0].study, metric.name, scale, mine, theirs, how, difference)


def _values(outcome: Outcome, search: Search, metric: str) -> dict[int, float]:
    repeats = search.repeats if search.best is None else search.repeats_of(search.best)
    found = {record.slot.seed: outcome.value(record, metric) for record in repeats}
    return {seed: value for seed, value in sorted(found.items()) if value is not None}


def _difference(first: Mapping[int, float], second: Mapping[int, float], scale: Scale) -> tuple[How, Interval | None]:
    if not first or not second:
        return "none", None
    mine, theirs = ({seed: scale.place(value) for seed, value in each.items()} for each in (first, second))
    if first.keys() != second.keys():
        return "unpaired", welch(list(mine.values()), list(theirs.values()), LEVEL)
    apart = interval([theirs[seed] - mine[seed] for seed in mine], LEVEL)
    return "identical" if first == second else "paired", apart


def _plain(found: Estimate | None) -> dict[str, Any] | None:
    return None if found is None else found._asdict()
