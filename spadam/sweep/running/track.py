"""One study on its way: what may begin next, what is known of its trials, and how many are where."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from typing import NamedTuple

from spadam.sweep.definition.space import Value
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search, is_failure, plan_repeats, planned_repeats, value_of
from spadam.sweep.search.propose import Proposer, Seen, sees
from spadam.sweep.search.slots import Slot, digest, enumerate_point
from spadam.sweep.store.attempts import Attempt, Record
from spadam.training.curve import curve


class Counts(NamedTuple):
    """A study in numbers, as :class:`~spadam.sweep.outcome.progress.Tally` has those of a variant."""

    slots: int
    accepted: int
    running: int
    failed: int
    failures: int
    trials_left: int
    repeats_left: int


class Track:
    """A study as its agent follows it; ``search`` is what the storage holds of it, where nothing runs.

    Of accepted trials it keeps what others may see: whole results are large, and lie in the storage.
    """

    def __init__(self, sweep: Sweep, search: Search) -> None:
        self._sweep, self.variant, self.study = sweep, sweep.variants[search.variant], search.study
        self.seen: dict[int, Seen] = {}
        """What slots were given, and what came of those that are accepted."""
        self._open: dict[int, Record] = {}
        """The search slots that are not accepted."""
        self._repeats: dict[str, Record] = {}
        self._states: Counter[tuple[str, str]] = Counter()
        """How many of :attr:`_open` ("") and of the repeats of a point are in which state."""
        self._ready: list[int] = []
        self._repeats_ready: list[tuple[int, str]] = []
        self._told = 0
        """So many first slots are accepted."""
        self._best = (math.inf, -1)
        """The cost of the best trial, and its number."""
        self._point: str | None = None
        self._failures = 0
        self._unneeded: list[Attempt] = []
        self._proposer = Proposer(sweep.spec.search, self.variant, sweep.spec.objective.direction)
        for record in map(self._without_duplicates, search.trials):
            self._failures += sum(map(is_failure, record.attempts))
            if record.state == "accepted":
                self._learn(record)
                continue
            self._put(record)
            heapq.heappush(self._ready, record.slot.number)
            if record.attempts and (params := record.params(self.variant)) is not None:
                self.seen[record.slot.number] = Seen(params)
        for record in map(self._without_duplicates, (*search.repeats, *search.superseded)):
            self._failures += sum(map(is_failure, record.attempts))
            self._put(_light(record))
        self._advance()

    @property
    def complete(self) -> bool:
        """Whether every search slot is accepted."""
        return not self._open

    @property
    def best(self) -> float | None:
        """The best value of a complete trial."""
        cost, number = self._best
        return None if number < 0 else self._sign * cost

    @property
    def best_params(self) -> dict[str, Value] | None:
        """What the best trial was given."""
        return None if self._best[1] < 0 else dict(self.seen[self._best[1]].params)

    def next(self) -> Record | None:
        """The first slot that may begin now; repeats come once the search has ended."""
        if not self.complete:
            record = self._open[self._ready[0]] if self._ready else None
            return record if record is not None and self._may_begin(record) else None
        return self._repeats[self._repeats_ready[0][1]] if self._repeats_ready else None

    def propose(self, slot: Slot) -> dict[str, Value]:
        """The parameters of ``slot``, which is :meth:`next`."""
        return self._proposer.propose(slot, self.seen)

    def begin(self, record: Record, attempt: Attempt) -> Record:
        """``attempt`` at the slot that is :meth:`next` has begun; the record with it."""
        begun = record._replace(attempts=(*(one for one in record.attempts if one.id != attempt.id), attempt))
        if record.slot.phase == "search":
            heapq.heappop(self._ready)
            self.seen[record.slot.number] = Seen(attempt.params)
        else:
            heapq.heappop(self._repeats_ready)
        self._put(begun)
        return begun

    def accept(self, record: Record) -> None:
        """The slot of ``record`` has an accepted attempt."""
        if record.slot.phase == "repeat":
            self._put(_light(record))
            return
        self._states["", self._open.pop(record.slot.number).state] -= 1
        self._learn(record)
        self._advance()

    def fail(self, record: Record) -> None:
        """The last attempt of ``record`` has failed; another one may begin, unless it is given up."""
        self._failures += 1
        self._put(record)
        if record.given_up is not None:
            return
        if record.slot.phase == "search":
            heapq.heappush(self._ready, record.slot.number)
        else:
            heapq.heappush(self._repeats_ready, (record.slot.number, record.slot.id))

    def take_unneeded(self) -> list[Attempt]:
        """Attempts that nobody needs, as there are in sweeps that were begun with a queue; each is given once."""
        found, self._unneeded = self._unneeded, []
        return found

    def counts(self) -> Counts:
        """How many of its slots are where."""
        states = {state: self._states[self._point or "none", state] for state in ("accepted", "running", "failed")}
        there = sum(many for (point, _), many in self._states.items() if point == self._point)
        planned = planned_repeats(self._sweep, self.complete, self._point is not None, there)
        return Counts(
            slots=self._sweep.trials + planned,
            accepted=self._sweep.trials - len(self._open) + states["accepted"],
            running=self._states["", "running"] + states["running"],
            failed=self._states["", "failed"] + states["failed"],
            failures=self._failures,
            trials_left=len(self._open),
            repeats_left=planned - states["accepted"],
        )

    @property
    def _sign(self) -> int:
        return 1 if self._sweep.spec.objective.direction == "minimize" else -1

    def _put(self, record: Record) -> None:
        slot = record.slot
        before = self._open.get(slot.number) if slot.phase == "search" else self._repeats.get(slot.id)
        if before is not None:
            self._states[slot.point, before.state] -= 1
        self._states[slot.point, record.state] += 1
        if slot.phase == "search":
            self._open[slot.number] = record
        else:
            self._repeats[slot.id] = record

    def _may_begin(self, record: Record) -> bool:
        """Whether results that the slot may see are there; what could begin once still can."""
        search, slot = self._sweep.spec.search, record.slot
        if record.started or self._told >= len(sees(search, slot)):
            return True
        return search.pruner == "none" and enumerate_point(search, self.variant, slot) is not None

    def _learn(self, record: Record) -> None:
        """Keep what an accepted trial tells."""
        result, params, metric = record.result, record.params(self.variant), self._sweep.spec.objective.metric
        assert result is not None
        assert params is not None
        number = record.slot.number
        self.seen[number] = Seen(params, record.objective, result.status, curve(result.evaluations, metric))
        if (value := value_of(record, metric)) is not None:
            self._best = min(self._best, (self._sign * value, number))

    def _advance(self) -> None:
        """See how far the search is, and which point is repeated; when it has ended, plan its repeats."""
        while self._told in self.seen and self.seen[self._told].value is not None:
            self._told += 1
        params = self.best_params
        self._point = None if params is None else digest(params)
        if not self.complete:
            return
        stored = list(self._repeats.values())
        repeats, superseded = plan_repeats(self._sweep, self.variant.name, self.study, self._point, stored)
        for record in repeats:
            self._put(record)
            if record.state != "accepted":
                heapq.heappush(self._repeats_ready, (record.slot.number, record.slot.id))
        for record in superseded:
            self._put(self._without_waiting(record))

    def _without_duplicates(self, record: Record) -> Record:
        """``record`` with the attempt that owns the slot as the only one that may wait."""
        return self._without_waiting(record, record.owner)

    def _without_waiting(self, record: Record, but: Attempt | None = None) -> Record:
        attempts = []
        for attempt in record.attempts:
            if attempt.state == "waiting" and attempt is not but:
                self._unneeded.append(attempt)
                attempt = attempt._replace(state="fail")
            attempts.append(attempt)
        return record._replace(attempts=tuple(attempts))


def _light(record: Record) -> Record:
    """``record`` without its results."""
    attempts = [
        one._replace(attributes={name: value for name, value in one.attributes.items() if name != "result"})
        for one in record.attempts
    ]
    return record._replace(attempts=tuple(attempts))
