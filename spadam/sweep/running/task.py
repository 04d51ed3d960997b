"""One slot's training: what it is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from spadam.config import RunConfig
from spadam.sweep.definition.objective import ObjectiveSpec
from spadam.sweep.search.objective import DISTANCE, judge
from spadam.sweep.search.slots import Slot
from spadam.tracking import Identity
from spadam.training.curve import Pruning
from spadam.training.inheritance import forget, inherit
from spadam.training.progress import Progress
from spadam.training.result import RunResult


class Task(NamedTuple):
    """A claimed slot as a training takes it; plain enough to be handed to another process."""

    sweep: str
    slot: Slot
    attempt: int
    """From 0; a slot is tried again when an attempt was killed."""
    config: RunConfig
    out: Path
    """The attempt's own folder."""
    objective: ObjectiveSpec
    pruning: Pruning | None = None
    """What it must reach to go on; None when it goes on to its end in any case."""
    earlier: tuple[Path, ...] = ()
    """The folders of the attempts before this one, which have failed; what they have left may be gone on with."""


Train = Callable[[Task, Callable[[Progress], None]], RunResult]
"""Trains a task, and says how far it is about twice a second."""


def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    """Train ``task`` in this process, as a training of its sweep: from the last checkpoint of its earlier attempts.

    Raises what :func:`spadam.training.run.run` raises.
    """
    from spadam.training.run import run  # here, because it takes seconds to import

    inherit(task.config, task.earlier, task.out)
    slot = task.slot
    # What is judged by the objective alone fits the probe's regression only when it is searched for.
    asked = (task.config.task.metrics[metric] for metric in task.objective.asked)
    refit = True if slot.phase != "repeat" and any(metric.refit for metric in asked) else None
    result = run(
        task.config,
        task.out,
        phase=slot.phase,
        refit=refit,
        pruning=task.pruning,
        origin=identity_of(task.sweep, slot, task.config, task.objective),
        progress=progress,
    )
    forget(task.earlier)
    return result


def identity_of(sweep: str, slot: Slot, config: RunConfig, objective: ObjectiveSpec) -> Identity:
    """Who the training of ``slot`` is for whoever watches it, however often it is attempted.

    Its id holds a hash of the configuration: the same slot of a sweep that was changed and begun anew is another run.
    Where ``objective`` has bands, it is said how far a run lies outside, so that runs can be ranked by it.
    """
    ours = judge(objective)
    study = f" · study {slot.study}" if slot.study else ""
    place = {"name": sweep, "variant": slot.variant, "phase": slot.phase, "study": slot.study, "slot": slot.number}
    tags = (slot.variant, slot.phase, f"study-{slot.study}", config.data.name, config.optimizer.name)
    return Identity(
        run_id=f"{sweep}-{slot.variant}-{slot.label}-{slot.seed}-{config.identity()[:8]}",
        name=f"{slot.variant} · {slot.phase} {slot.number}{study}",
        job_type=slot.phase,
        config={**config.plain(), "sweep": place},
        group=sweep,
        tags=tuple(dict.fromkeys(tags)),
        judge=(lambda metrics: {DISTANCE: ours.distance(metrics)}) if ours.bands else None,
    )
