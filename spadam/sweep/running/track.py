"""One study on its way: what may begin next, what is known of its trials, and how many are where."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import NamedTuple

from spadam.sweep.definition.space import Value
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search, is_failure, plan_repeats, planned_repeats
from spadam.sweep.search.front import Front, Standing, spread
from spadam.sweep.search.objective import judge
from spadam.sweep.search.propose import Proposer, Seen, sees
from spadam.sweep.search.slots import Slot, digest, enumerate_point
from spadam.sweep.store.attempts import Attempt, Record


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
        self._judge = judge(sweep.spec.objective)
        self._front = Front()
        """The trial that ranks first; of several metrics all that no other beats."""
        self._points: dict[str, int] = {}
        """The trials that are repeated, by the hashes of their parameters."""
        self.best: float | None = None
        """The best value that a complete trial has, within the bands if there are some; None of a front."""
        self._failures = 0
        self._unneeded: list[Attempt] = []
        self._proposer = Proposer(sweep.spec.search, self.variant, tuple(sweep.spec.objective.goals.values()))
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
    def leaders(self) -> list[int]:
        """The trial that ranks first, if any has the objective; of several metrics all that no other beats."""
        return [standing.number for standing in self._front.members]

    def params_of(self, point: str) -> dict[str, Value]:
        """The parameters that a repeat of ``point`` has."""
        return dict(self.seen[self._points[point]].params)

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
        mine = Counter[str]()
        for (point, state), many in self._states.items():
            if point in self._points:
                mine[state] += many
        planned = planned_repeats(self._sweep, self.complete, len(self._points), mine.total())
        return Counts(
            slots=self._sweep.trials + planned,
            accepted=self._sweep.trials - len(self._open) + mine["accepted"],
            running=self._states["", "running"] + mine["running"],
            failed=self._states["", "failed"] + mine["failed"],
            failures=self._failures,
            trials_left=len(self._open),
            repeats_left=planned - mine["accepted"],
        )

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
        result, params = record.result, record.params(self.variant)
        assert result is not None
        assert params is not None
        number = record.slot.number
        self.seen[number] = Seen(params, record.objective, result.status, self._judge.curve(result.evaluations))
        if result.status == "complete" and (costs := self._judge.costs(result.metrics)) is not None:
            self._front.add(Standing(costs, number))
            values = self._judge.values(result.metrics)
            if values is not None and len(values) == 1:
                self.best = self._judge.best([*values, *([] if self.best is None else [self.best])])

    def _advance(self) -> None:
        """See how far the search is, and which points are repeated; when it has ended, plan their repeats."""
        while self._told in self.seen and self.seen[self._told].value is not None:
            self._told += 1
        picked = spread(self.leaders, self._sweep.spec.points)
        self._points = {digest(self.seen[number].params): number for number in picked}
        if not self.complete:
            return
        stored = list(self._repeats.values())
        repeats, superseded = plan_repeats(self._sweep, self.variant.name, self.study, self._points, stored)
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
