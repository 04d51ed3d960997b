"""What a training of each variant will touch, take and leave: rehearsed, and read off what has run already.

A *world* is data and model with the axes that change them: what variants share that differ in their optimizers only.
Every variant is rehearsed at the centre of its space, and the first of each world at the ends of the world's axes too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

from spadam.config import RunConfig
from spadam.sweep.definition.relative_axes import PLACEHOLDER, scale_key
from spadam.sweep.definition.space import Axis, Value
from spadam.sweep.definition.spec import Sweep, Variant
from spadam.sweep.forecast.rehearsal import Rehearsal, rehearse
from spadam.sweep.forecast.sizes import Sizes, gauge
from spadam.sweep.outcome.progress import Search
from spadam.sweep.store.attempts import Record
from spadam.training.gradient_scale import gradient_rms
from spadam.training.progress import Progress

ENOUGH = 3
"""So many finished trainings of a variant say better than a rehearsal what the next one takes."""


class Sight(NamedTuple):
    """A rehearsal, and where in a variant's space it was."""

    variant: str
    world: str
    end: tuple[str, Value] | None
    """The axis that was at one of its ends, and the value there; None: all were at their centres."""
    rehearsal: Rehearsal
    sizes: Sizes | None = None
    """How large samples and gradient are there."""


class Costs(NamedTuple):
    """What one training of a variant costs."""

    trial_seconds: float
    """Of a search trial."""
    repeat_seconds: float
    kept_bytes: float
    """What it leaves."""
    checkpoint_bytes: float
    """What lies beside that while it runs."""
    finished: int
    """So many finished trials the seconds come from; 0: from rehearsals."""


Announce = Callable[[str, int, int], Callable[[Progress], None]]
"""Announces a training: what, its number from 1, of how many. Gives back who hears of its progress."""


def look(sweep: Sweep, variants: Sequence[str], announce: Announce) -> list[Sight]:
    """Rehearse ``variants``. Raises :class:`InputError` when data is missing or sizes do not fit it."""
    wanted: list[tuple[str, str, tuple[str, Value] | None, RunConfig]] = []
    for name in variants:
        variant = sweep.variants[name]
        config = configure(variant, sweep.seed)
        axes = [axis for axis in variant.axes if axis.name.startswith(("data.", "model."))]
        world = f"{config.data.model_dump_json()} {config.model.model_dump_json()} {axes}"
        ends = [] if any(world == other for _, other, _, _ in wanted) else _ends(axes)
        wanted.append((name, world, None, config))
        wanted += [(name, world, end, configure(variant, sweep.seed, {end[0]: end[1]})) for end in ends]
    # The first training of a process imports and allocates: that is not what a training takes.
    rehearse(wanted[0][-1], steps=1, progress=announce("warming up", 0, len(wanted)))
    sights: list[Sight] = []
    sizes: dict[str, Sizes] = {}
    for number, (name, world, end, config) in enumerate(wanted, start=1):
        text = name if end is None else f"{name}, {end[0]} = {end[1]}"
        first = all(world != sight.world for sight in sights)
        seen = rehearse(config, refit=first, progress=announce(text, number, len(wanted)))
        if (key := scale_key(config)) not in sizes:
            sizes[key] = gauge(config)
        sights.append(Sight(name, world, end, seen, sizes[key]))
    return sights


def configure(variant: Variant, seed: int, params: dict[str, Value] | None = None) -> RunConfig:
    """The training in the middle of every axis but those that ``params`` gives."""
    chosen = {axis.name: axis.at(0.5) for axis in variant.axes} | (params or {})
    if not variant.needs_scale:
        return variant.config(chosen, seed)
    return variant.config(chosen, seed, gradient_rms(variant.config(chosen, seed, PLACEHOLDER)))


def reckon(sweep: Sweep, variant: str, sights: Sequence[Sight], searches: Iterable[Search]) -> Costs:
    """What a training of ``variant`` costs: by its rehearsal, or by the trainings that have ended where there are some.

    At the ends of a world's axes a training may take more or less: what the first variant of the world took there over
    what it took at the centre is taken to hold for the others too. Times are of the mean, sizes of the largest.
    """
    own = next(sight for sight in sights if sight.variant == variant and sight.end is None)
    world = [sight for sight in sights if sight.world == own.world]
    first, ends = world[0].rehearsal, [sight.rehearsal for sight in world if sight.end is not None]
    refit = first.pace.refit or 0.0
    config = own.rehearsal.config
    probe, judged_by = config.probe, [config.task.metrics[metric] for metric in sweep.spec.objective.asked]
    in_search = any(metric.refit for metric in judged_by) or (probe is not None and probe.refit == "always")
    trial = own.rehearsal.trial_seconds(refit if in_search else 0.0)
    repeat = own.rehearsal.repeat_seconds(refit)
    stretch = fmean([1.0, *(end.trial_seconds() / first.trial_seconds() for end in ends)])
    larger = max([1.0, *(end.kept_bytes() / first.kept_bytes() for end in ends)])
    mine = [search for search in searches if search.variant == variant]
    trials = _took(record for search in mine for record in search.trials)
    repeats = _took(record for search in mine for record in search.repeats)
    if len(trials) >= ENOUGH:
        stretch = fmean(trials) / trial
    return Costs(
        trial * stretch,
        fmean(repeats) if len(repeats) >= ENOUGH else repeat * stretch,
        own.rehearsal.kept_bytes() * larger,
        own.rehearsal.files.checkpoint * larger,
        finished=len(trials) if len(trials) >= ENOUGH else 0,
    )


def _ends(axes: Iterable[Axis]) -> list[tuple[str, Value]]:
    return [(axis.name, value) for axis in axes for value in axis.ends()]


def _took(records: Iterable[Record]) -> list[float]:
    """The seconds of the trainings that have ended."""
    results = [record.result for record in records]
    times = [result.provenance.get("seconds") for result in results if result is not None]
    return [seconds for seconds in times if seconds is not None]
