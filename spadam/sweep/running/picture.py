"""What the agent knows of its sweep: read from the storage once, and then kept up by what it does itself.

An event costs the same in a sweep of ten slots and of ten thousand: what begins next is at the top of a heap, and the
numbers of a variant change by what has happened.
"""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import RECENT, Search, Tally, tally
from spadam.sweep.running.track import Track
from spadam.sweep.search.objective import judge
from spadam.sweep.search.slots import Slot, Turn, turn
from spadam.sweep.store.attempts import Attempt, Record
from spadam.training.result import RunResult


class Next(NamedTuple):
    """A slot that may begin, and the study that it is of."""

    track: Track
    record: Record


class Picture:
    """The studies of ``variants`` as they stand; ``searches`` is what the storage holds of them, where nothing runs."""

    def __init__(self, sweep: Sweep, searches: Iterable[Search], variants: Sequence[str]) -> None:
        mine = [search for search in searches if search.variant in variants]
        self._tallies = {found.variant: found for found in tally(sweep, mine)}
        self._judge, self._is_front = judge(sweep.spec.objective), sweep.spec.objective.is_front
        self._order = {name: number for number, name in enumerate(variants)}
        self.tracks = {(search.variant, search.study): Track(sweep, search) for search in mine}
        self._turns: list[tuple[Turn, str, int]] = []
        for track in self.tracks.values():
            self._offer(track)

    @property
    def tallies(self) -> list[Tally]:
        """Every variant in numbers."""
        return list(self._tallies.values())

    @property
    def left(self) -> int:
        """Slots that are not accepted."""
        return sum(found.slots - found.accepted for found in self._tallies.values())

    def without_objective(self, variant: str) -> int:
        """How many complete trials a variant has; 0 when one of them has an objective."""
        mine = self._of(variant)
        if any(track.leaders for track in mine):
            return 0
        return sum(seen.status == "complete" and seen.value is not None for t in mine for seen in t.seen.values())

    def next(self) -> Next | None:
        """The slot whose turn it is among those that may begin; None when all that is left waits for others."""
        while self._turns:
            there, variant, study = self._turns[0]
            track = self.tracks[variant, study]
            record = track.next()
            if record is not None and self._turn(record.slot) == there:
                return Next(track, record)
            heapq.heappop(self._turns)  # it has begun meanwhile
        return None

    def begin(self, found: Next, attempt: Attempt) -> Record:
        """``attempt`` at :meth:`next` has begun; the record with it."""
        with self._changing(found.track):
            return found.track.begin(found.record, attempt)

    def accept(self, record: Record, result: RunResult) -> None:
        """The slot of ``record`` has an accepted attempt, with ``result``."""
        track = self._track(record.slot)
        with self._changing(track):
            track.accept(record)
        mine = self._tallies[record.slot.variant]
        known = [value for value in (mine.best, track.best) if value is not None]
        best = self._judge.best(known)
        if self._is_front:
            mine = mine._replace(front=sum(len(track.leaders) for track in self._of(record.slot.variant)))
        took = () if (seconds := result.provenance.get("seconds")) is None else (seconds,)
        if record.slot.phase == "repeat":
            mine = mine._replace(repeat_times=(*mine.repeat_times, *took)[-RECENT:])
        else:
            mine = mine._replace(trial_times=(*mine.trial_times, *took)[-RECENT:])
        self._tallies[record.slot.variant] = mine._replace(best=best)

    def fail(self, record: Record) -> None:
        """The last attempt of ``record`` has failed."""
        track = self._track(record.slot)
        with self._changing(track):
            track.fail(record)

    def _of(self, variant: str) -> list[Track]:
        return [track for (name, _), track in self.tracks.items() if name == variant]

    def _track(self, slot: Slot) -> Track:
        return self.tracks[slot.variant, slot.study]

    def _turn(self, slot: Slot) -> Turn:
        return turn(slot.phase, slot.number, slot.study, self._order[slot.variant])

    def _offer(self, track: Track) -> None:
        if (record := track.next()) is not None:
            heapq.heappush(self._turns, (self._turn(record.slot), track.variant.name, track.study))

    @contextlib.contextmanager
    def _changing(self, track: Track) -> Iterator[None]:
        """Carry what the block changes in ``track`` over to the numbers of its variant, and to whose turn it is."""
        before = track.counts()
        yield
        after, name = track.counts(), track.variant.name
        mine = self._tallies[name]
        changed = {
            field: getattr(mine, field) + getattr(after, field) - getattr(before, field) for field in after._fields
        }
        mine = mine._replace(**changed)
        waiting = mine.slots - mine.accepted - mine.running - mine.failed
        self._tallies[name] = mine._replace(waiting=waiting)
        self._offer(track)
