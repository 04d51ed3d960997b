"""Which trainings a study plans once its search has ended: those that choose its setting, and the repeats of that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from spadam.sweep.definition.spec import Sweep
from spadam.sweep.search.slots import Phase, Slot, choosing_seeds, repeat_seeds
from spadam.sweep.store.attempts import Record


class Planned(NamedTuple):
    """The slots of a phase in a study."""

    records: list[Record]
    """Those that are stored first."""
    superseded: list[Record]
    """Stored ones of other points."""


def plan_choosings(
    sweep: Sweep, variant: str, study: int, candidates: Collection[str], stored: Sequence[Record], *, ended: bool
) -> Planned:
    """The choosing trainings of ``candidates``, points of trials; where there is one only, none.

    Before the search has ``ended`` they are those that are ``stored``.
    """
    points, seeds = candidates if len(candidates) > 1 else (), choosing_seeds(sweep, study) if ended else []
    return _plan(variant, "choose", study, points, seeds, stored)


def plan_repeats(
    sweep: Sweep, variant: str, study: int, points: Collection[str], stored: Sequence[Record], *, ended: bool
) -> Planned:
    """The repeats of ``points``; before it has ``ended`` which these are, they are those that are ``stored``."""
    return _plan(variant, "repeat", study, points, repeat_seeds(sweep, study) if ended else [], stored)


def _plan(
    variant: str, phase: Phase, study: int, points: Collection[str], seeds: Iterable[int], stored: Sequence[Record]
) -> Planned:
    """All ``points`` have a seed before one has the next."""
    records = [record for record in stored if record.slot.point in points]
    superseded = [record for record in stored if record.slot.point not in points]
    there = {(record.slot.point, record.slot.seed) for record in records}
    missing = [(point, seed) for seed in seeds for point in points if (point, seed) not in there]
    for number, (point, seed) in enumerate(missing, start=len(stored)):
        records.append(Record(Slot(variant, phase, study, number, seed, point)))
    return Planned(records, superseded)


def count_choosings(sweep: Sweep, variant: str, complete: bool, candidates: int, there: int) -> int:
    """How many choosing trainings a study gets of which ``there`` are there; until its search is ``complete``, at most.

    So many ``candidates`` it has.
    """
    return max(there, sweep.spec.choosings(candidates) if complete else sweep.choosings(variant))


def count_repeats(sweep: Sweep, complete: bool, found: int, there: int) -> int:
    """How many repeats a search gets of which ``there`` are there; until it has ended, as many as they may become.

    So many settings it has ``found`` that are repeated.
    """
    if complete and not found:
        return 0
    return max(there, found * sweep.spec.repeat.seeds if complete else sweep.spec.repeats)
