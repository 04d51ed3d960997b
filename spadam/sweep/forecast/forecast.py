"""The forecast of a sweep: what it will train, touch, take and leave.

Nothing of the sweep is trained for it, and nothing is written where the sweep lives.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spadam import machine
from spadam.diagnostics.warned import Warned
from spadam.sweep.definition.space import Axis, Value
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.forecast.claims import warn_of_claims
from spadam.sweep.forecast.costs import Announce, Costs, Sight, look, reckon
from spadam.sweep.forecast.sizes import plain_sizes
from spadam.sweep.forecast.timetable import Course, Timetable, simulate
from spadam.sweep.forecast.warnings import find_warnings
from spadam.sweep.outcome.progress import Search, expected_choosings, expected_repeats
from spadam.sweep.running.local import default_workers, visible_devices
from spadam.sweep.search.propose import is_ready, sees
from spadam.sweep.search.slots import enumerate_point, search_slots
from spadam.sweep.store.attempts import Record


class Load(NamedTuple):
    """The trainings of a variant in numbers, all studies together."""

    search: int
    repeats: int
    search_left: int
    """Not accepted yet."""
    repeats_left: int
    choosings: int = 0
    """Trainings that settings are chosen by."""
    choosings_left: int = 0

    @property
    def planned(self) -> int:
        """All phases."""
        return self.search + self.choosings + self.repeats

    @property
    def left(self) -> int:
        """All phases."""
        return self.search_left + self.choosings_left + self.repeats_left


class Space(NamedTuple):
    """Where variants search that search the same places."""

    variants: tuple[str, ...]
    axes: tuple[Axis, ...]
    points: tuple[tuple[dict[str, Value], ...], ...]
    """Of every study, the points that depend on no result."""
    asked: int
    """Trials of every study that the sampler proposes from the results of earlier ones."""


class Forecast(NamedTuple):
    """All that is known of a sweep before it runs."""

    sweep: Sweep
    loads: dict[str, Load]
    """By variant."""
    spaces: list[Space]
    sights: list[Sight]
    """The rehearsals; none when nothing is left to train."""
    costs: dict[str, Costs]
    """By variant; empty when nothing is left to train."""
    workers: int
    timetable: Timetable
    disk: float
    """Bytes that what is left will leave, with the checkpoints of what runs at a time."""
    free: int
    """Bytes that the disk has left."""
    warnings: list[Warned]

    @property
    def left(self) -> int:
        """Trainings that are not accepted yet."""
        return sum(load.left for load in self.loads.values())


def forecast(
    sweep: Sweep, searches: Sequence[Search], out: Path, announce: Announce, workers: int | None = None
) -> Forecast:
    """What is ahead of ``searches``, the state of a sweep that lives below ``out``, with ``workers`` worker processes.

    Without ``workers`` it is as many as `sweep run` takes. Raises :class:`InputError` when data is missing or sizes do
    not fit it.
    """
    variants = list(dict.fromkeys(search.variant for search in searches))
    loads = {name: _load(sweep, [search for search in searches if search.variant == name]) for name in variants}
    free, places = _free_bytes(out), spaces(sweep, variants)
    if not any(load.left for load in loads.values()):
        return Forecast(sweep, loads, places, [], {}, workers or 1, Timetable(0.0, 0.0, 0.0, 0), 0.0, free, [])
    sights = look(sweep, variants, announce)
    costs = {name: reckon(sweep, name, sights, searches) for name in variants}
    threads, devices = max(sight.rehearsal.config.trainer.threads for sight in sights), len(visible_devices())
    size = default_workers(threads, devices) if workers is None else max(1, workers)
    # Workers that share cores take so much longer.
    cores = machine.cores()
    crowd = 1.0 if devices else max(1.0, size * threads / cores)
    courses = [_course(sweep, search, costs[search.variant], crowd) for search in searches]
    warnings = [*find_warnings(sweep, sights), *warn_of_claims(sweep, searches)]
    if (most := _most_at_a_time(sweep, courses)) < size:
        rule = f"{size} workers, but at most variants x studies x lag = {most} trials can run at a time"
        text = f"{rule}: raise search.lag before the sweep begins, or give fewer workers"
        warnings.append(Warned("idle_workers", text, {"workers": size, "trials": most}))
    if crowd > 1:
        text = f"{size} workers x threads: {threads} share {cores} cores, which the time takes into account"
        warnings.append(Warned("shared_cores", text, {"workers": size, "threads": threads, "cores": cores}))
    timetable = simulate(courses, size)
    disk = sum(loads[name].left * cost.kept_bytes for name, cost in costs.items())
    disk += timetable.most * max(cost.checkpoint_bytes for cost in costs.values())
    if disk > free:
        text = "what the sweep leaves will not fit on the disk of --out"
        warnings.append(Warned("disk_full", text, {"bytes": disk, "free_bytes": free}))
    return Forecast(sweep, loads, places, sights, costs, size, timetable, disk, free, warnings)


def spaces(sweep: Sweep, variants: Sequence[str]) -> list[Space]:
    """Where ``variants`` search, those together that have the same axes and points."""
    found: list[Space] = []
    for name in variants:
        variant = sweep.variants[name]
        points: list[list[dict[str, Value]]] = [[] for _ in range(sweep.spec.search.studies)]
        for slot in search_slots(sweep, name):
            if (point := enumerate_point(sweep.spec.search, variant, slot)) is not None:
                points[slot.study].append(point)
        mine = Space((name,), variant.axes, tuple(map(tuple, points)), sweep.trials - len(points[0]))
        same = next((n for n, space in enumerate(found) if space[1:] == mine[1:]), None)
        if same is None:
            found.append(mine)
        else:
            found[same] = found[same]._replace(variants=(*found[same].variants, name))
    return found


def plain(found: Forecast) -> dict[str, Any]:
    """A forecast as plain values; seconds and bytes are plain numbers.

    - `sweep`, `workers`, `left` (trainings not accepted yet), `warnings`: a list of {`variants`, `code`, `text`,
      `numbers`}
    - `variants`: by name `search`, `repeats`, `search_left`, `repeats_left`, `choosings`, `choosings_left` (trainings
      that settings are chosen by); and while something is left `trial_seconds` (of a choosing training too),
      `repeat_seconds`, `kept_bytes`, `checkpoint_bytes` (of one training), `finished` (so many finished trials the
      seconds come from; 0: from rehearsals)
    - `spaces`: a list of {`variants`, `axes`: by name `low`, `high`, `log`, or `choices`; `points`: for every study the
      points that are known beforehand, in order; `asked`: trials of a study that the sampler proposes later}
    - `rows`: a list of rehearsals {`variant`, `end`: null, or the one axis that was not at its centre with its value;
      `steps`, `status`, `rows_touched`, `rows_touched_expected`, `rows_touched_bound` (null where the rule has no k),
      `rows_intermittent`, `step_seconds`, `evaluation_seconds`, and before the first step `scaling` (`data.scale`),
      `mean_square` (of the norms of samples so scaled), `gradient_rms` (null where there is none)}
    - `time`: `seconds` until all is done, `search_seconds` until the last search is, `work_seconds` of all trainings
      one after the other, `at_a_time`: the most that run together
    - `disk`: `bytes` that what is left will leave, `free_bytes`
    """
    variants: dict[str, dict[str, Any]] = {name: load._asdict() for name, load in found.loads.items()}
    for name, cost in found.costs.items():
        variants[name] |= cost._asdict()
    times = found.timetable
    return {
        "sweep": found.sweep.name,
        "workers": found.workers,
        "left": found.left,
        "variants": variants,
        "spaces": [
            {
                "variants": space.variants,
                "axes": {axis.name: axis.range.model_dump(mode="json", exclude_none=True) for axis in space.axes},
                "points": space.points,
                "asked": space.asked,
            }
            for space in found.spaces
        ],
        "rows": [_plain_sight(sight) for sight in found.sights],
        "time": {
            "seconds": times.all,
            "search_seconds": times.search,
            "work_seconds": times.work,
            "at_a_time": times.most,
        },
        "disk": {"bytes": found.disk, "free_bytes": found.free},
        "warnings": [{"variants": warned.variants, **warned.plain()} for warned in found.warnings],
    }


def _plain_sight(sight: Sight) -> dict[str, Any]:
    seen = sight.rehearsal
    return {
        "variant": sight.variant,
        "end": None if sight.end is None else dict([sight.end]),
        "steps": seen.steps,
        "status": "diverged" if seen.diverged else "complete",
        "rows_touched": seen.rows_touched,
        "rows_touched_expected": seen.rows_expected,
        "rows_touched_bound": seen.rows_bound,
        "rows_intermittent": seen.rows_intermittent,
        "step_seconds": seen.pace.step,
        "evaluation_seconds": seen.pace.evaluation,
        **plain_sizes(sight.sizes),
    }


def _load(sweep: Sweep, searches: Sequence[Search]) -> Load:
    search = sum(len(one.trials) for one in searches)
    repeats = sum(expected_repeats(sweep, one) for one in searches)
    choosings = sum(expected_choosings(sweep, one) for one in searches)
    search_done, repeats_done, choosings_done = (
        sum(_accepted(getattr(one, name)) for one in searches) for name in ("trials", "repeats", "choosings")
    )
    left = (search - search_done, repeats - repeats_done)
    return Load(search, repeats, *left, choosings, choosings - choosings_done)


def _accepted(records: Sequence[Record]) -> int:
    return sum(record.state == "accepted" for record in records)


def _course(sweep: Sweep, search: Search, cost: Costs, crowd: float) -> Course:
    """What is left of a study, for the timetable; everything takes ``crowd`` times as long as on a core of its own."""
    variant, gates = sweep.variants[search.variant], []
    waiting = [record.slot for record in search.trials if record.state != "accepted"]
    for slot in waiting:
        free = is_ready(sweep.spec.search, variant, slot, {})
        gates.append(0 if free else len(sees(sweep.spec.search, slot)))
    return Course(
        variant=list(sweep.variants).index(search.variant),
        study=search.study,
        slots=[slot.number for slot in waiting],
        gates=gates,
        repeats=list(range(_accepted(search.repeats), expected_repeats(sweep, search))),
        trial_seconds=cost.trial_seconds * crowd,
        repeat_seconds=cost.repeat_seconds * crowd,
        accepted={record.slot.number for record in search.trials if record.state == "accepted"},
        choosings=list(range(_accepted(search.choosings), expected_choosings(sweep, search))),
    )


def _most_at_a_time(sweep: Sweep, courses: Sequence[Course]) -> float:
    """So many trials may be under way where proposals wait for results."""
    waits = any(gate for course in courses for gate in course.gates)
    return sum(sweep.spec.search.lag for course in courses if course.slots) if waits else float("inf")


def _free_bytes(out: Path) -> int:
    """What is left on the disk where the folder ``out`` lies, or will."""
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    return shutil.disk_usage(there).free
