"""The views of a sweep at W&B: what they need to know of it."""

from __future__ import annotations

from collections.abc import Callable

from spadam.diagnostics.metric import Metric
from spadam.report.export.markdown import markdown
from spadam.report.export.noted import noted
from spadam.report.heading import compared, state
from spadam.spec import dump
from spadam.sweep.definition.measurable import Available, why_never
from spadam.sweep.definition.relative_axes import key_of
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.search.objective import DISTANCE
from spadam.tracking.views.publishing import View
from spadam.tracking.views.report import Story, report
from spadam.tracking.views.subject import Searched, Subject
from spadam.tracking.views.workspace import workspace


def workspace_of(sweep: Sweep) -> View:
    """The workspace in which the runs of ``sweep`` are looked at; it need not have begun."""
    return workspace(_subject(sweep))


def report_of(outcome: Outcome) -> View:
    """The report that tells what came of a sweep, or has so far."""
    story = Story(
        compared(outcome),
        "".join(state(outcome)),
        markdown(noted(outcome)),
        dump(outcome.attributes.get("spec") or outcome.sweep.document.data),
    )
    return report(_subject(outcome.sweep), story)


def _subject(sweep: Sweep) -> Subject:
    spec = sweep.spec
    logarithmic: dict[str, bool] = {}
    for variant in sweep.variants.values():
        for axis in variant.axes:  # a key that follows from another is shown as the run has it
            logarithmic[key_of(axis.name)] = logarithmic.get(key_of(axis.name), False) or axis.range.log
    metric, *others = spec.objective.asked
    planned = (sweep.trials + spec.choosings(sweep.trials) + spec.repeats) * spec.search.studies * len(sweep.variants)
    return Subject(
        name=sweep.name,
        metric=metric,
        minimize=spec.objective.goals[metric] == "minimize",
        searched=tuple(Searched(key, log) for key, log in logarithmic.items()),
        judged=_measured(sweep, lambda m: m.split == "test" and not m.final and not m.array)
        if spec.repeat.seeds
        else (),
        followed=_measured(sweep, lambda m: m.prunable and not m.array),
        histograms=_measured(sweep, lambda m: m.array),
        trainings=planned,
        others=tuple(others),
        distance=DISTANCE if spec.objective.at else None,
    )


def _measured(sweep: Sweep, chosen: Callable[[Metric], bool]) -> tuple[str, ...]:
    """The names of the ``chosen`` metrics that some variant can measure."""
    names = {
        name: None
        for variant in sweep.variants.values()
        for config in variant.corners[:1]
        for name, metric in config.task.metrics.items()
        if chosen(metric) and why_never(metric, config, Available.by(config.data)) is None
    }
    return tuple(names)
