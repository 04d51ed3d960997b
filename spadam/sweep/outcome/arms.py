"""What the trainings of a sweep bring to its claims."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from spadam.claims.arm import DIVERGED, Arm
from spadam.diagnostics.metric import Metric
from spadam.sweep.definition.space import SIDES
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search, expected_repeats, start_of, value_of
from spadam.sweep.outcome.range_advice import near_bounds
from spadam.sweep.outcome.sameness import as_text, ended, every_row_touched, setting, whole
from spadam.sweep.store.attempts import Record


def setting_arm(sweep: Sweep, search: Search, metric: Metric) -> Arm:
    """The setting that a study has found: a unit is a seed."""
    units = {record.slot.seed: [_value(record, metric.name)] for record in ended([search])}
    return _arm(sweep, [search], metric, units, lambda: setting(sweep, search))


def variant_arm(sweep: Sweep, searches: Sequence[Search], metric: Metric) -> Arm:
    """A variant, whatever its searches found: a unit is a study."""
    units = {s.study: [_value(record, metric.name) for record in ended([s])] for s in searches}
    units = {study: values for study, values in units.items() if values}
    return _arm(sweep, searches, metric, units, lambda: whole(sweep, searches))


def blocked(sweep: Sweep, searches: Sequence[Search]) -> str:
    """Why nothing is to be said of a variant: the search box, and not the search, may have chosen its setting."""
    found = [near_bounds(sweep, search) for search in searches]
    near = {f"{axis} near its {SIDES[bound]} bound" for one in found for axis, bound in one.items()}
    return f"what was chosen has {' and '.join(sorted(near))}: widen the range" if near else ""


def _arm(
    sweep: Sweep,
    searches: Sequence[Search],
    metric: Metric,
    units: dict[int, list[float | None]],
    described: Callable[[], dict[str, Any] | None],
) -> Arm:
    repeats = ended(searches)
    lost = [start_of(record, metric.name) for record in repeats if record.status == "diverged"]
    return Arm(
        searches[0].variant,
        units,
        sum(expected_repeats(sweep, search) for search in searches),
        tuple(value for value in lost if value is not None),
        as_text(described()) if every_row_touched(repeats) else None,
    )


def _value(record: Record, metric: str) -> float | None:
    return DIVERGED if record.status == "diverged" else value_of(record, metric)
