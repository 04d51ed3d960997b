"""What the trainings of a sweep bring to its claims."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spadam.claims.arm import DIVERGED, Arm
from spadam.diagnostics.metric import Metric
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search, expected_repeats, value_of
from spadam.sweep.outcome.range_advice import near_bounds
from spadam.sweep.outcome.sameness import as_text, every_row_touched, setting, whole
from spadam.sweep.store.attempts import Record


def setting_arm(sweep: Sweep, search: Search, metric: Metric) -> Arm:
    """The setting that a study has found: a unit is a seed."""
    units = {record.slot.seed: [_value(record, metric.name)] for record in _ended(search.repeats)}
    return _arm(sweep, [search], metric, units, as_text(setting(sweep, search)))


def variant_arm(sweep: Sweep, searches: Sequence[Search], metric: Metric) -> Arm:
    """A variant, whatever its searches found: a unit is a study."""
    units = {s.study: [_value(record, metric.name) for record in _ended(s.repeats)] for s in searches}
    return _arm(
        sweep, searches, metric, {n: found for n, found in units.items() if found}, as_text(whole(sweep, searches))
    )


def _arm(
    sweep: Sweep,
    searches: Sequence[Search],
    metric: Metric,
    units: dict[int, list[float | None]],
    alone: str | None,
) -> Arm:
    repeats = [record for search in searches for record in search.repeats]
    return Arm(
        searches[0].variant,
        units,
        sum(expected_repeats(sweep, search) for search in searches),
        _at_start(repeats, metric),
        alone if every_row_touched(_ended(repeats)) else None,
        _blocked(sweep, searches),
    )


def _ended(records: Iterable[Record]) -> list[Record]:
    return [record for record in records if record.state == "accepted"]


def _value(record: Record, metric: str) -> float | None:
    return DIVERGED if record.status == "diverged" else value_of(record, metric)


def _at_start(records: Iterable[Record], metric: Metric) -> float | None:
    """The worst that a diverged training had of ``metric`` before its first step."""
    diverged = (r.result for r in records if r.status == "diverged")
    rows = [result.evaluations[0] for result in diverged if result is not None and result.evaluations]
    known = [row[metric.name] for row in rows if row.get(metric.name) is not None]
    return (min if metric.larger_is_better else max)(known) if known else None


def _blocked(sweep: Sweep, searches: Sequence[Search]) -> str:
    """Why nothing is to be said of a variant: the search box, and not the search, may have chosen its setting."""
    near = {
        f"{axis} near its {bound} bound" for search in searches for axis, bound in near_bounds(sweep, search).items()
    }
    return f"what was chosen has {' and '.join(sorted(near))}: widen the range" if near else ""
