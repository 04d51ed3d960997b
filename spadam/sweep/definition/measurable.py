"""Whether an objective can be measured at all: by what the file says, and once it is read by the data.

What a metric needs, it says itself (:class:`spadam.diagnostics.metric.Metric`), and data and optimizers say what they
have. What neither tells, constant samples for one, shows in the first trial (:mod:`spadam.sweep.search.objective`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from spadam.config import RunConfig
from spadam.data import DatasetSpec
from spadam.diagnostics.metric import Metric
from spadam.diagnostics.metrics import lookup
from spadam.spec import InputError, Mistakes
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
    """Refuse an objective that search trials do not measure. Raises :class:`InputError`."""
    metric = sweep.spec.objective.metric
    try:
        known, *_ = [lookup(metric, "", config.task.metrics) for _, config in _trained(sweep)]
    except InputError as error:
        if error.argument:
            raise
        raise _refusal(sweep, error.rule, error.remedy) from None
    another = "choose another metric, such as val/fvu"
    if known.array:
        raise _refusal(sweep, "an objective must be one number", another)
    if known.split == "test":
        raise _refusal(sweep, "nothing may be chosen by the test split", another)
    if not known.searchable:
        raise _refusal(sweep, "a search cannot be judged by it", another)
    if not known.prunable and sweep.spec.search.pruner != "none":
        pruner = sweep.spec.search.pruner
        rule = f"the pruner {pruner} looks at it at every evaluation, and it is measured once, at the end"
        raise _refusal(sweep, rule, f"{another}, or set search.pruner: none")


def check_data(sweep: Sweep, known: Mapping[DatasetSpec, Available]) -> None:
    """Refuse an objective that some variant can never measure; ``known`` is what data have that were read.

    Raises one :class:`InputError` that names every such variant with its reason.
    """
    reasons: dict[tuple[str, str], list[str]] = {}
    for name, config in _trained(sweep):
        metric = config.task.metrics[sweep.spec.objective.metric]
        data = known.get(config.data) or Available.by(config.data)
        if (why := why_never(metric, config, data)) is not None and name not in reasons.setdefault(why, []):
            reasons[why].append(name)
    mistakes = Mistakes()
    for (rule, remedy), names in reasons.items():
        which = f"variant {names[0]}" if len(names) == 1 else f"each of {', '.join(names)}"
        mistakes.add(_refusal(sweep, f"{which} {rule}", f"{remedy}, or choose another metric"))
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


def _refusal(sweep: Sweep, rule: str, remedy: str) -> InputError:
    path = ("objective", "metric")
    return InputError(".".join(path), sweep.spec.objective.metric, rule, remedy, sweep.document.where(path))


def _trained(sweep: Sweep) -> Iterator[tuple[str, RunConfig]]:
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
