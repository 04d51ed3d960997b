"""Whether the claims of a sweep's file can be judged by it."""

from __future__ import annotations

from collections.abc import Iterator

from spadam.claims.scale import Scale
from spadam.claims.spec import SIDED, ClaimSpec, Fault
from spadam.diagnostics.metric import Metric
from spadam.diagnostics.metrics import lookup
from spadam.spec import InputError, Mistakes
from spadam.sweep.definition.measurable import Available, why_never
from spadam.sweep.definition.spec import Sweep
from spadam.text import count

FEWEST_STUDIES = 6
"""What is said of variants rests on so many studies at least: with five no sign-flip test can fall below .05."""

FEWEST_SEEDS = 2
"""One difference has no spread."""


def check_claims(sweep: Sweep) -> None:
    """Refuse claims that this sweep can never answer, and a comparison with nobody. Raises :class:`InputError`."""
    mistakes, known = Mistakes(), dict[str, int]()
    for number, claim in enumerate(sweep.spec.claims):
        for fault in _faults(sweep, claim):
            path = ("claims", number, fault.key)
            where = sweep.document.where(path)
            mistakes.add(InputError(f"claims.{number}.{fault.key}", fault.value, fault.rule, fault.remedy, where))
        if (first := known.setdefault(claim.key, number)) != number:
            rule, where = f"it decides on the same as claims.{first}", sweep.document.where(("claims", number))
            mistakes.add(InputError(f"claims.{number}.says", claim.says, rule, "remove one of them", where))
    if (to := sweep.spec.compare.to) is not None and to not in sweep.variants:
        rule, where = "the sweep has no such variant", sweep.document.where(("compare", "to"))
        mistakes.add(InputError("compare.to", to, rule, f"choose one of: {', '.join(sweep.variants)}", where))
    mistakes.tell()


def metric_of(sweep: Sweep, name: str) -> Metric:
    """What ``name`` stands for in the trainings of ``sweep``: its first variant's, where that has it."""
    tasks = [variant.corners[0].task.metrics for variant in sweep.variants.values()]
    found: Metric = next(metrics[name] for metrics in tasks if name in metrics)
    return found


def scale_of(metric: Metric) -> Scale:
    """How two values of ``metric`` are compared."""
    return Scale(metric.error, metric.unit == "share")


def _faults(sweep: Sweep, claim: ClaimSpec) -> Iterator[Fault]:
    yield from claim.faults()
    unknown = [name for name in claim.variants if name not in sweep.variants]
    for name in unknown:
        yield Fault("variants", name, "the sweep has no such variant", f"choose from: {', '.join(sweep.variants)}")
    if sweep.spec.objective.is_front:
        yield Fault("variants", list(claim.variants), "a front has no one setting to speak of", "set objective.metric")
    yield from _of_metric(sweep, claim, [name for name in claim.variants if name not in unknown])
    yield from _of_units(sweep, claim)


def _of_metric(sweep: Sweep, claim: ClaimSpec, variants: list[str]) -> Iterator[Fault]:
    scales = []
    for name, measured in claim.sides:
        if name not in variants:
            continue
        key = "metric" if measured == claim.metric else "against"
        try:
            metric = lookup(measured, "", sweep.variants[name].corners[0].task.metrics)
        except InputError as error:
            yield Fault(key, measured, error.rule, error.remedy)
            return
        if metric.array:
            yield Fault(key, measured, "a claim is about one number", "choose another metric")
            return
        config = sweep.variants[name].corners[0]
        if (why := why_never(metric, config, Available.by(config.data))) is not None:
            yield Fault(key, measured, f"variant {name} {why[0]}", f"{why[1]}, or choose another metric")
            return
        if metric.error and len(claim.sides) == 2 and (claim.bound or 1.0) <= 0:
            rule = "two errors are compared by their ratio, which is above 0"
            yield Fault("bound", claim.bound, rule, "write the ratio, such as 0.7")
            return
        if claim.kind in SIDED and not (metric.has_good_side or measured in sweep.spec.objective.goals):
            rule = f"nothing says whether much or little of {measured} is good"
            yield Fault("kind", claim.kind, rule, "write different, equivalent, at_least or at_most")
            return
        scales.append((metric.error, metric.unit))
    if len(set(scales)) == 2:
        (_, mine), (_, other) = scales
        rule = f"it is measured in {other}, and {claim.metric} in {mine}, so that nothing says how far they lie apart"
        yield Fault("against", claim.against, rule, "name a metric of the same unit")


def _of_units(sweep: Sweep, claim: ClaimSpec) -> Iterator[Fault]:
    studies, seeds = sweep.spec.search.studies, sweep.spec.repeat.seeds
    if claim.about == "variants" and studies < FEWEST_STUDIES:
        rule = (
            f"what is said of variants rests on independent searches, at least {FEWEST_STUDIES}, and "
            f"search.studies is {studies}: seeds of one search leave out how lucky it was"
        )
        yield Fault("about", "variants", rule, f"set search.studies: {FEWEST_STUDIES} or more, or about: settings")
    if claim.about == "settings" and studies > 1:
        rule = f"each of the {count(studies, 'study')} of a variant has found a setting of its own"
        yield Fault("about", "settings", rule, "set about: variants, or search.studies: 1")
    if seeds < (least := FEWEST_SEEDS if claim.about == "settings" else 1):
        rule = f"a claim is judged by repeats, and repeat.seeds is {seeds}"
        yield Fault("says", claim.says, rule, f"set repeat.seeds: 10, at least {least}, or remove the claim")
