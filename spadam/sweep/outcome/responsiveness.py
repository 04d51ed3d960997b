"""How a metric answers to lr, eps and whatever else a sweep lays out as a design, variant by variant.

A sweep is a design where its sampler is `grid` and it has several studies: each of them trains the same grid with a
seed of its own. What a learner has chosen is none, for its trials lie where it looked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from spadam.optim import CustomSpec
from spadam.statistics.design import Design, Level, Observation, anova, design, seed_deviation
from spadam.statistics.response_curve import REACH, curve, flat, sensitivity, slope, width
from spadam.sweep.definition.claims import metric_of
from spadam.sweep.definition.relative_axes import EPS, LR
from spadam.sweep.definition.space import Value
from spadam.sweep.definition.spec import Sweep, Variant
from spadam.sweep.outcome.progress import Search, start_of, value_of
from spadam.sweep.outcome.response import Around, Knob, Response, through
from spadam.sweep.store.attempts import Record
from spadam.text import count

FEWEST = 2
"""With one seed nothing tells what an axis does from what chance does."""


class Responses(NamedTuple):
    """Those of a sweep."""

    found: tuple[Response, ...]
    missing: Mapping[str, str]
    """Why other variants have none, in words."""


def responses(sweep: Sweep, searches: Sequence[Search], metric: str | None = None) -> Responses:
    """How ``metric``, by default the objective, answers in every variant of ``sweep``, in the order of the file.

    Only studies that are complete count, and a variant needs two.
    """
    if (why := _no_design(sweep, metric)) is not None:
        return Responses((), dict.fromkeys(sweep.variants, why))
    name = metric or sweep.spec.objective.metrics[0]
    mine = {each: [s for s in searches if s.variant == each and s.complete] for each in sweep.variants}
    worst = _worst([record for found in mine.values() for s in found for record in s.trials], name)
    told = {each: _of_variant(sweep, each, found, name, worst) for each, found in mine.items()}
    found = [one for one in told.values() if isinstance(one, Response)]
    missing = {each: one for each, one in told.items() if isinstance(one, str)}
    return Responses(tuple(_shared(found)), missing)


def _no_design(sweep: Sweep, metric: str | None) -> str | None:
    """Why the sweep as a whole is none."""
    if sweep.spec.search.sampler != "grid":
        return "only a grid tells what lr does from where a search looked: set search.sampler: grid"
    if metric is None and sweep.spec.objective.is_front:
        return "several metrics are compared: set objective.metric"
    if not metric_of(sweep, name := metric or sweep.spec.objective.metrics[0]).error:
        return f"{name} is no error, and only errors are compared by their logarithms"
    return "one seed a point: set search.studies: 3" if sweep.spec.search.studies < FEWEST else None


def _of_variant(sweep: Sweep, name: str, whole: Sequence[Search], metric: str, worst: float | None) -> Response | str:
    """Its response, or why there is none."""
    variant = sweep.variants[name]
    lr = next((axis.grid() for axis in variant.axes if axis.name == LR), ())
    if len(lr) < 2 or not _ordered(lr) or 0 in lr:
        return f"{LR} is not searched over numbers above 0"
    if len(whole) < FEWEST:
        return f"{len(whole)} of {count(sweep.spec.search.studies, 'study')} complete so far"
    records = [record for search in whole for record in search.trials]
    if any(record.status == "pruned" for record in records):
        return "trials were pruned: set search.pruner: none"
    without = sum(record.status == "complete" and value_of(record, metric) is None for record in records)
    if without:
        return f"{without} of {count(len(records), 'training')} without a finite {metric}"
    if worst is None or all(record.status == "diverged" for record in records):
        return "all trainings diverged"
    values = [worst if record.status == "diverged" else record.metrics[metric] for record in records]
    if any(value is None or value <= 0 for value in values):
        return f"a {metric} of 0 has no logarithm"
    return _response(variant, metric, design(list(_observations(variant, records, metric, values))))


def _observations(
    variant: Variant, records: Iterable[Record], metric: str, values: Iterable[float | None]
) -> Iterator[Observation]:
    logarithmic = {axis.name: _ordered(axis.grid()) for axis in variant.axes}
    for record, value in zip(records, values, strict=True):
        params = record.params(variant)
        assert params is not None, "accepted"
        assert value is not None
        at = {axis: _level(given, logarithmic[axis]) for axis, given in params.items()}
        yield Observation(at, record.slot.seed, value, start_of(record, metric), record.status == "diverged")


def _response(variant: Variant, metric: str, found: Design) -> Response:
    best = found.best
    along = curve(found, LR, best)
    peak = along.places[along.best]
    declared = {axis: place for axis in found.axes if (place := _declared(variant, axis)) is not None}
    default, usual = _default(found, declared), None
    if default is not None:
        usual = slope(curve(found, LR, default), declared[LR])
    return Response(
        variant=variant.name,
        metric=metric,
        design=found,
        terms=tuple(anova(found)),
        deviation=seed_deviation(found),
        default=default,
        at_best=slope(along, peak),
        at_default=usual,
        width=width(along),
        sensitivity=sensitivity(along, peak - REACH, peak + REACH),
        common=None,
        knobs=tuple(_knobs(found, default, declared)),
    )


def _knobs(found: Design, default: tuple[int, ...] | None, declared: Iterable[str]) -> Iterator[Knob]:
    for number, axis in enumerate(found.axes):
        if any(isinstance(level, str) for level in found.levels[number]):
            continue
        around: dict[Around, tuple[int, ...] | None] = {"best": found.best}
        around["default"] = default if axis in declared else None
        for where, at in around.items():
            told = None if at is None else flat(curve(found, axis, at), at[number])
            if told is not None:
                yield Knob(axis, where, told)


def _shared(found: Sequence[Response]) -> Iterator[Response]:
    """``found`` with their sensitivities over the lr that all of them have."""
    curves = [through(one, one.design.best) for one in found]
    if len(found) < 2:
        yield from found
        return
    low, high = max(one.places[0] for one in curves), min(one.places[-1] for one in curves)
    for one, along in zip(found, curves, strict=True):
        yield one._replace(common=sensitivity(along, low, high) if low < high else None)


def _default(found: Design, declared: Mapping[str, float]) -> tuple[int, ...] | None:
    """The levels nearest to what is ``declared``; None where lr or eps has none near it."""
    at = list(found.best)
    for number, axis in enumerate(found.axes):
        if axis not in (LR, EPS):
            continue
        place = declared.get(axis)
        places = [math.nan if isinstance(level, str) else level for level in found.levels[number]]
        near = [n for n, level in enumerate(places) if place is not None and abs(level - place) <= _NEAR]
        if not near or place is None:
            return None
        at[number] = min(near, key=lambda n: abs(places[n] - place))
    return tuple(at)


_NEAR = 0.5 + 1e-6
"""In decades: what lies further from a level is not told by it."""


def _declared(variant: Variant, axis: str) -> float | None:
    """The logarithm of what the optimizer declares for ``axis``: the centre of its lr, its default eps."""
    optimizer = type(variant.corners[0].optimizer)
    if optimizer is CustomSpec or any(other.name == "optimizer.name" for other in variant.axes):
        return None
    field = optimizer.model_fields.get("eps")
    value = optimizer.lr_center if axis == LR else field.default if axis == EPS and field is not None else None
    return math.log10(value) if isinstance(value, int | float) and value > 0 else None


def _ordered(values: Iterable[Value]) -> bool:
    """Whether all have a place on a logarithmic axis; that of 0 is infinitely far below."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 for value in values)


def _level(value: Value, logarithmic: bool) -> Level:
    if not logarithmic or value is None:
        return str(value)
    return math.log10(float(value)) if float(value) else -math.inf


def _worst(records: Iterable[Record], metric: str) -> float | None:
    """What a training that diverged stands for: the largest of the values that there are, and at step 0 of such."""
    values = []
    for record in records:
        values.append(start_of(record, metric) if record.status == "diverged" else value_of(record, metric))
    return max((value for value in values if value is not None), default=None)
