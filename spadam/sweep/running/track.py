"""One study on its way: what may begin next, what is known of its trials, and how many are where."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from spadam.sweep.definition.space import Value
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search, is_failure
from spadam.sweep.outcome.retraining import Planned, count_choosings, count_repeats, plan_choosings, plan_repeats
from spadam.sweep.search.choosing import Candidate, Row, Top, choose, measured
from spadam.sweep.search.front import Front, Standing, spread
from spadam.sweep.search.objective import judge
from spadam.sweep.search.propose import Proposer, Seen, sees
from spadam.sweep.search.slots import Phase, Slot, digest, enumerate_point
from spadam.sweep.store.attempts import Attempt, Record


class Counts(NamedTuple):
    """A study in numbers, as :class:`~spadam.sweep.outcome.progress.Tally` has those of a variant."""

    slots: int
    accepted: int
    running: int
    failed: int
    failures: int
    trials_left: int
    choosings_left: int
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
        self._again: dict[str, Record] = {}
        """The slots of the other phases."""
        self._states: Counter[tuple[Phase, str, str]] = Counter()
        """How many of :attr:`_open` (without a point), and in another phase of a point, are in which state."""
        self._ready: list[int] = []
        self._again_ready: list[tuple[int, str]] = []
        """Of one phase at a time: repeats are planned when all choosing trainings are accepted."""
        self._told = 0
        """So many first slots are accepted."""
        self._judge = judge(sweep.spec.objective)
        self._front = Front()
        """The trial that ranks first; of several metrics all that no other beats."""
        self._top = Top(sweep.spec.candidates)
        self._candidates: dict[str, int] = {}
        """The trials that the setting is chosen among, by the hashes of their parameters; none of a front."""
        self._rows: dict[str, list[Row | None]] = {}
        """What choosing trainings of points have counted with."""
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
        for record in map(self._without_duplicates, (*search.choosings, *search.repeats, *search.superseded)):
            self._failures += sum(map(is_failure, record.attempts))
            if record.slot.phase == "choose" and record.state == "accepted":
                self._count(record)
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
        """The parameters of ``point``, which is trained again."""
        return dict(self.seen[(self._candidates | self._points)[point]].params)

    def next(self) -> Record | None:
        """The first slot that may begin now; once the search has ended those of the phases after it."""
        if not self.complete:
            record = self._open[self._ready[0]] if self._ready else None
            return record if record is not None and self._may_begin(record) else None
        return self._again[self._again_ready[0][1]] if self._again_ready else None

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
            heapq.heappop(self._again_ready)
        self._put(begun)
        return begun

    def accept(self, record: Record) -> None:
        """The slot of ``record`` has an accepted attempt."""
        if record.slot.phase == "search":
            self._states["search", "", self._open.pop(record.slot.number).state] -= 1
            self._learn(record)
            self._advance()
            return
        self._put(_light(record))
        if record.slot.phase == "choose":
            self._count(record)
            self._settle()

    def fail(self, record: Record) -> None:
        """The last attempt of ``record`` has failed; another one may begin, unless it is given up."""
        self._failures += 1
        self._put(record)
        if record.given_up is not None:
            return
        if record.slot.phase == "search":
            heapq.heappush(self._ready, record.slot.number)
        else:
            heapq.heappush(self._again_ready, (record.slot.number, record.slot.id))

    def take_unneeded(self) -> list[Attempt]:
        """Attempts that nobody needs, as there are in sweeps that were begun with a queue; each is given once."""
        found, self._unneeded = self._unneeded, []
        return found

    def counts(self) -> Counts:
        """How many of its slots are where."""
        trials = self._of("search", ("",))
        choosings, repeats = self._of("choose", self._among), self._of("repeat", self._points)
        many, name = len(self._candidates), self.variant.name
        choosings_planned = count_choosings(self._sweep, name, self.complete, many, choosings.total())
        repeats_planned = count_repeats(self._sweep, self.complete, len(self._points), repeats.total())
        mine = trials + choosings + repeats
        return Counts(
            slots=self._sweep.trials + choosings_planned + repeats_planned,
            accepted=self._sweep.trials - len(self._open) + mine["accepted"],
            running=mine["running"],
            failed=mine["failed"],
            failures=self._failures,
            trials_left=len(self._open),
            choosings_left=choosings_planned - choosings["accepted"],
            repeats_left=repeats_planned - repeats["accepted"],
        )

    @property
    def _among(self) -> Collection[str]:
        """The points that have choosing trainings: among one there is nothing to choose."""
        return self._candidates if len(self._candidates) > 1 else ()

    def _of(self, phase: Phase, points: Collection[str]) -> Counter[str]:
        """How many slots of ``points`` are in which state."""
        found = Counter[str]()
        for (stored, point, state), many in self._states.items():
            if stored == phase and point in points:
                found[state] += many
        return found

    def _put(self, record: Record) -> None:
        slot = record.slot
        before = self._open.get(slot.number) if slot.phase == "search" else self._again.get(slot.id)
        if before is not None:
            self._states[slot.phase, slot.point, before.state] -= 1
        self._states[slot.phase, slot.point, record.state] += 1
        if slot.phase == "search":
            self._open[slot.number] = record
        else:
            self._again[slot.id] = record

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
            self._top.add(Candidate(costs, number, digest(params)))
            values = self._judge.values(result.metrics)
            if values is not None and len(values) == 1:
                self.best = self._judge.best([*values, *([] if self.best is None else [self.best])])

    def _count(self, record: Record) -> None:
        """Keep what an accepted choosing training counts with."""
        assert record.result is not None
        self._rows.setdefault(record.slot.point, []).append(measured(self._judge, record.result))

    def _advance(self) -> None:
        """See how far the search is; when it has ended, plan what its setting is chosen by."""
        while self._told in self.seen and self.seen[self._told].value is not None:
            self._told += 1
        if not self._sweep.spec.objective.is_front:
            self._candidates = {one.point: one.number for one in self._top.members}
        if self.complete:
            self._plan(plan_choosings(*self._about, self._candidates, self._stored("choose"), ended=True))
        self._settle()

    def _settle(self) -> None:
        """See what is repeated; when nothing is left that it is chosen by, plan the repeats."""
        if self._sweep.spec.objective.is_front:
            picked = spread(self.leaders, self._sweep.spec.points)
            self._points = {digest(self.seen[number].params): number for number in picked}
        else:
            chosen = choose(self._judge, self._candidates, self._rows)
            point = next(iter(self._candidates), None) if chosen is None else chosen.point
            self._points = {} if point is None else {point: self._candidates[point]}
        choosings = self._of("choose", self._among)
        if self.complete and choosings["accepted"] == choosings.total():
            self._plan(plan_repeats(*self._about, self._points, self._stored("repeat"), ended=True))

    @property
    def _about(self) -> tuple[Sweep, str, int]:
        return self._sweep, self.variant.name, self.study

    def _stored(self, phase: Phase) -> list[Record]:
        return [record for record in self._again.values() if record.slot.phase == phase]

    def _plan(self, planned: Planned) -> None:
        for record in planned.records:
            self._put(record)
            if record.state != "accepted":
                heapq.heappush(self._again_ready, (record.slot.number, record.slot.id))
        for record in planned.superseded:
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
