"""When the trainings of a sweep begin and end: an agent's order, played through with known durations."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from spadam.sweep.search.slots import Phase, Turn, turn


@dataclass
class Course:
    """A study on its way: the slots that it has yet to train, in order, and what they wait for."""

    variant: int
    """Where its variant stands in the file."""
    study: int
    slots: list[int]
    """Numbers of the search slots that are left, ascending."""
    gates: list[int]
    """For each of them: it waits until so many first slots of the study are accepted."""
    repeats: list[int]
    """Numbers of the repeats that are left; they wait for the whole search, and for all choosing trainings."""
    trial_seconds: float
    """Of a choosing training too."""
    repeat_seconds: float
    accepted: set[int] = field(default_factory=set)
    """Search slots that have a result already."""
    choosings: list[int] = field(default_factory=list)
    """Numbers of the choosing trainings that are left; they wait for the whole search."""
    under_way: Counter[Phase] = field(default_factory=Counter)
    """How many trainings of a phase are."""

    def next(self) -> tuple[Phase, list[int]] | None:
        """The phase of the next training, and the slots of it that are left; None when something must end first."""
        if self.slots:
            ready = all(number in self.accepted for number in range(self.gates[0]))
            return ("search", self.slots) if ready else None
        if self.choosings:
            return None if self.under_way["search"] else ("choose", self.choosings)
        if self.repeats and not self.under_way["search"] and not self.under_way["choose"]:
            return "repeat", self.repeats
        return None

    def begin(self) -> tuple[Phase, int, float]:
        """Begin the training that is :meth:`next`: its phase, its slot, and the seconds that it takes."""
        ready = self.next()
        assert ready is not None
        phase, left = ready
        if phase == "search":
            self.gates.pop(0)
        self.under_way[phase] += 1
        return phase, left.pop(0), self.repeat_seconds if phase == "repeat" else self.trial_seconds

    def end(self, phase: Phase, number: int) -> None:
        """A training has ended."""
        self.under_way[phase] -= 1
        if phase == "search":
            self.accepted.add(number)


class Timetable(NamedTuple):
    """How long a sweep takes, in seconds from now."""

    search: float
    """Until the last search has ended."""
    all: float
    """Until the last training has ended."""
    work: float
    """All trainings, one after the other."""
    most: int
    """So many trainings are under way at a time at most."""


def simulate(courses: Sequence[Course], workers: int) -> Timetable:
    """Play ``courses`` through as an agent with ``workers`` does; they are used up.

    Whenever a worker is free it takes the first training that may begin, see :func:`spadam.sweep.search.slots.turn`.
    """
    running: list[tuple[float, int, Course, Phase, int]] = []
    now = search = work = 0.0
    begun = most = 0
    while True:
        while len(running) < workers and (course := _first(courses)) is not None:
            phase, number, seconds = course.begin()
            heapq.heappush(running, (now + seconds, begun, course, phase, number))
            begun, work, most = begun + 1, work + seconds, max(most, len(running))
        if not running:
            return Timetable(search, now, work, most)
        now = running[0][0]
        while running and running[0][0] == now:
            _, _, course, phase, number = heapq.heappop(running)
            course.end(phase, number)
            if phase == "search":
                search = now


def _first(courses: Sequence[Course]) -> Course | None:
    """The course whose next training begins next; None when none may begin."""
    ready = [(place, course) for course in courses if (place := _turn(course)) is not None]
    return min(ready, key=lambda pair: pair[0])[1] if ready else None


def _turn(course: Course) -> Turn | None:
    """Where the next training of a course stands among all that may begin; None when it has to wait."""
    if (ready := course.next()) is None:
        return None
    phase, left = ready
    return turn(phase, left[0], course.study, course.variant)
