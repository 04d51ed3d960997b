"""Whether an objective can be measured at all: by what the file says, and once it is read by the data.

What a metric needs, it says itself (:class:`spadam.diagnostics.metric.Metric`), and data and optimizers say what they
have. What neither tells, constant samples for one, shows in the first trial (:mod:`spadam.sweep.search.objective`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from spadam.config import RunConfig
from spadam.data import DatasetSpec
from spadam.diagnostics.metric import Metric
from spadam.diagnostics.metrics import lookup
from spadam.spec import InputError, Mistakes, Written
from spadam.sweep.definition.spec import Sweep
from spadam.text import count

if TYPE_CHECKING:
    from spadam.data import Dataset


class Available(NamedTuple):
    """What a data set has for measuring; None where it is not known."""

    labels: bool
    train: int | None
    validation: int | None

    @classmethod
    def by(cls, spec: DatasetSpec) -> Available:
        """What is known before anything is read."""
        sizes = spec.sizes
        train = sizes.train if sizes else spec.train_size
        return cls(spec.labelled, train, sizes.validation if sizes else spec.validation_size)

    @classmethod
    def of(cls, dataset: Dataset) -> Available:
        """What ``dataset`` has."""
        return cls(dataset.y is not None, len(dataset.train), len(dataset.validation))


def check_objective(sweep: Sweep) -> None:
    """Refuse an objective that search trials do not measure, or cannot be judged by. Raises :class:`InputError`."""
    for asked in _asked(sweep):
        _check_metric(sweep, asked)
    _check_front(sweep)
    _check_bands(sweep)


def _check_metric(sweep: Sweep, asked: Asked) -> None:
    try:
        known, *_ = [lookup(asked.metric, "", config.task.metrics) for _, config in trained(sweep)]
    except InputError as error:
        if error.argument:
            raise
        raise _refusal(sweep, asked, error.rule, error.remedy) from None
    another = "choose another metric, such as val/fvu"
    if known.array:
        raise _refusal(sweep, asked, "an objective must be one number", another)
    if known.split == "test":
        raise _refusal(sweep, asked, "nothing may be chosen by the test split", another)
    if not known.searchable:
        raise _refusal(sweep, asked, "a search cannot be judged by it", another)
    if not known.prunable and sweep.spec.search.pruner != "none":
        pruner = sweep.spec.search.pruner
        rule = f"the pruner {pruner} looks at it at every evaluation, and it is measured once, at the end"
        raise _refusal(sweep, asked, rule, f"{another}, or set search.pruner: none")


def _check_front(sweep: Sweep) -> None:
    """Refuse what has no meaning where several metrics are compared."""
    spec = sweep.spec
    if not spec.objective.is_front:
        return
    if spec.search.pruner != "none":
        rule = "a front has no median, so nothing says which trial is worse than half of the others"
        where = sweep.document.where(("search", "pruner"))
        raise InputError("search.pruner", spec.search.pruner, rule, "set search.pruner: none", where)
    if isinstance(spec.objective.pareto, dict):
        return
    for asked in _asked(sweep):
        metric = sweep.corners[0].task.metrics[asked.metric]
        if metric.larger_is_better and asked.metric in spec.objective.goals:
            goals = {**spec.objective.goals, asked.metric: "maximize"}
            ways = ", ".join(f"{name}: {way}" for name, way in goals.items())
            raise _refusal(sweep, asked, "nobody wants it small", f"say which way each is good: {{{ways}}}")


def _check_bands(sweep: Sweep) -> None:
    """Refuse a band in which no trial of some variant can lie, wherever in its ranges."""
    mistakes = Mistakes()
    for name, (low, high) in sweep.spec.objective.at.items():
        spans: dict[str, list[tuple[float, float]]] = {}
        for variant, config in trained(sweep):
            spans.setdefault(variant, []).append(config.task.bounds(config.task.metrics[name]))
        beyond = {variant: span for variant, span in spans.items() if _apart(span, low, high)}
        if beyond:
            least, most = min(a for a, _ in beyond[next(iter(beyond))]), max(b for _, b in beyond[next(iter(beyond))])
            rule = f"it cannot be met: there {name} is {_between(least, most)} ({_which(list(beyond))})"
            mistakes.add(_refusal(sweep, _band(name, low, high), rule, "move the band"))
    mistakes.tell()


def _apart(spans: Sequence[tuple[float, float]], low: float, high: float) -> bool:
    """Whether none of ``spans`` has anything in common with low to high."""
    return max(most for _, most in spans) < low or min(least for least, _ in spans) > high


def _between(least: float, most: float) -> str:
    return f"{least:g} to {most:g}" if math.isfinite(most) else f"at least {least:g}"


def _which(variants: Sequence[str]) -> str:
    return f"variant {variants[0]}" if len(variants) == 1 else f"each of {', '.join(variants)}"


def check_data(sweep: Sweep, known: Mapping[DatasetSpec, Available]) -> None:
    """Refuse an objective that some variant can never measure; ``known`` is what data have that were read.

    Raises one :class:`InputError` that names every such variant with its reason.
    """
    mistakes = Mistakes()
    for asked in _asked(sweep):
        reasons: dict[tuple[str, str], list[str]] = {}
        for name, config in trained(sweep):
            metric = config.task.metrics[asked.metric]
            data = known.get(config.data) or Available.by(config.data)
            if (why := why_never(metric, config, data)) is not None and name not in reasons.setdefault(why, []):
                reasons[why].append(name)
        for (rule, remedy), names in reasons.items():
            mistakes.add(_refusal(sweep, asked, f"{_which(names)} {rule}", f"{remedy}, or choose another metric"))
    mistakes.tell()


def check_loaded(sweep: Sweep, variants: Iterable[str]) -> None:
    """The same with the data of ``variants``, which are read for it; nothing is trained."""
    specs = {config.data for name in variants for config in sweep.variants[name].corners}
    check_data(sweep, {spec: Available.of(spec.load()) for spec in specs})


def why_never(metric: Metric, config: RunConfig, data: Available) -> tuple[str, str] | None:
    """Rule (as what its variant does) and remedy where ``config`` can never measure ``metric``; None where it may."""
    if metric.labels and config.probe is None:
        return "has no probe", "remove `probe: null`"
    if metric.labels and not data.labels:
        return f"has samples without labels ({config.data.name}), which no probe can learn", "give its data labels"
    if metric.refit and config.probe is not None and config.probe.refit == "never":
        return "never fits it", "set probe.refit: auto"
    there = {"val": data.validation, "train": data.train}.get(metric.split or "")
    if there is not None and there < metric.least:
        split = "validation" if metric.split == "val" else "training"
        what = f"has {count(there, f'{split} sample')}, and a spread needs {metric.least}"
        return what if there else f"has no {split} samples", "set data.validation_size"
    if metric.denominator and config.optimizer.divides() is False:
        return f"has an optimizer that divides by nothing ({config.optimizer.name})", "take another optimizer"
    if metric.clipping and config.trainer.clip_norm is None:
        return "clips no gradient", "set trainer.clip_norm"
    if metric.targets and not config.data.targeted:
        return "has samples without targets of their own", "set data.target"
    seen, window = _most_samples(config, data), config.trainer.silent_after
    if metric.silence and seen is not None and seen < window:
        return (
            f"sees at most {seen} samples in a training, and it is measured after {window}",
            "raise trainer.epochs or trainer.steps, or lower trainer.silent_after",
        )
    return None


def _most_samples(config: RunConfig, data: Available) -> int | None:
    """How many samples a training sees, or at most; None where that is not known."""
    size = config.data.batch_size
    steps = config.trainer.most_steps(None if data.train is None else data.train // size)
    return None if steps is None else steps * size


class Asked(NamedTuple):
    """A metric that a file asks for."""

    path: tuple[str, ...]
    metric: str
    value: object
    """What stands at ``path``."""


def _asked(sweep: Sweep) -> list[Asked]:
    """The metrics of the objective, and where each is named."""
    objective = sweep.spec.objective
    key = "pareto" if objective.is_front else "metric"
    found = [Asked(("objective", key), name, name) for name in objective.metrics]
    return found + [_band(name, low, high) for name, (low, high) in objective.at.items()]


def _band(name: str, low: float, high: float) -> Asked:
    return Asked(("objective", "at", name), name, Written(f"[{low:g}, {high:g}]"))


def _refusal(sweep: Sweep, asked: Asked, rule: str, remedy: str) -> InputError:
    return InputError(".".join(asked.path), asked.value, rule, remedy, sweep.document.where(asked.path))


def trained(sweep: Sweep) -> Iterator[tuple[str, RunConfig]]:
    """Every corner with its variant. Raises :class:`InputError` about a task that cannot be imported."""
    for variant in sweep.variants.values():
        for config in variant.corners:
            try:
                _ = config.task
            except InputError as error:
                where = variant.document.where(tuple(error.argument.split(".")))
                argument = f"variant {variant.name}: {error.argument}"
                raise InputError(argument, error.value, error.rule, error.remedy, where) from None
            yield variant.name, config
