"""What the trainings of a sweep bring to its claims."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from spadam.claims.arm import DIVERGED, Arm
from spadam.diagnostics.metric import Metric
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search, expected_repeats, value_of
from spadam.sweep.outcome.range_advice import near_bounds
from spadam.sweep.store.attempts import Record

_ALL_TOUCHED = "all_rows_touched"
"""What a training warns of in which every step touched every row."""


def setting_arm(sweep: Sweep, search: Search, metric: Metric) -> Arm:
    """The setting that a study has found: a unit is a seed."""
    units = {record.slot.seed: [_value(record, metric.name)] for record in _ended(search.repeats)}
    return _arm(sweep, [search], metric, units, _of_setting(sweep, search))


def variant_arm(sweep: Sweep, searches: Sequence[Search], metric: Metric) -> Arm:
    """A variant, whatever its searches found: a unit is a study."""
    units = {s.study: [_value(record, metric.name) for record in _ended(s.repeats)] for s in searches}
    return _arm(sweep, searches, metric, {n: found for n, found in units.items() if found}, _of_space(sweep, searches))


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
        alone if all(_ALL_TOUCHED in _codes(record) for record in _ended(repeats)) else None,
        _blocked(sweep, searches),
    )


def _ended(records: Iterable[Record]) -> list[Record]:
    return [record for record in records if record.state == "accepted"]


def _value(record: Record, metric: str) -> float | None:
    return DIVERGED if record.status == "diverged" else value_of(record, metric)


def _codes(record: Record) -> set[str]:
    return {warned.code for warned in record.warnings}


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


def _of_setting(sweep: Sweep, search: Search) -> str | None:
    """The setting of a study where every step touches every row, as text: all of it, but how it treats other rows."""
    variant = sweep.variants[search.variant]
    params = search.best.params(variant) if search.best is not None else None
    if search.best is None or params is None:
        return None
    config = variant.config(params, 0, search.best.gradient_rms)
    optimizer = config.optimizer
    steps = {"lr": getattr(optimizer, "lr", None), "eps": getattr(optimizer, "eps", None)}
    return _text({**config.facts(), "seed": 0, "optimizer": {**optimizer.when_all_touched(), **steps}})


def _of_space(sweep: Sweep, searches: Sequence[Search]) -> str | None:
    """The same of a variant, with what it searches."""
    variant = sweep.variants[searches[0].variant]
    config = variant.corners[0]
    space = {axis.name: axis.range.model_dump(mode="json") for axis in variant.axes}
    return _text({**config.facts(), "optimizer": config.optimizer.when_all_touched(), "space": space})


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)
