"""When the trainings of a sweep begin and end: an agent's order, played through with known durations."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from spadam.sweep.search.slots import turn


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
    """Numbers of the repeats that are left; they wait for the whole search."""
    trial_seconds: float
    repeat_seconds: float
    accepted: set[int] = field(default_factory=set)
    """Search slots that have a result already."""
    searching: int = 0
    """Search trials under way."""


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
    running: list[tuple[float, int, Course, int | None]] = []
    now = search = work = 0.0
    begun = most = 0
    while True:
        while len(running) < workers and (course := _first(courses)) is not None:
            number = course.slots.pop(0) if course.slots else None
            if number is None:
                course.repeats.pop(0)
            else:
                course.gates.pop(0)
                course.searching += 1
            seconds = course.repeat_seconds if number is None else course.trial_seconds
            heapq.heappush(running, (now + seconds, begun, course, number))
            begun, work, most = begun + 1, work + seconds, max(most, len(running))
        if not running:
            return Timetable(search, now, work, most)
        now = running[0][0]
        while running and running[0][0] == now:
            _, _, course, number = heapq.heappop(running)
            if number is not None:
                course.accepted.add(number)
                course.searching -= 1
                search = now


def _first(courses: Sequence[Course]) -> Course | None:
    """The course whose next training begins next; None when none may begin."""
    ready = [(place, course) for course in courses if (place := _turn(course)) is not None]
    return min(ready, key=lambda pair: pair[0])[1] if ready else None


def _turn(course: Course) -> tuple[bool, int, int, int] | None:
    """Where the next training of a course stands among all that may begin; None when it has to wait."""
    if course.slots:
        ready = all(number in course.accepted for number in range(course.gates[0]))
        return turn("search", course.slots[0], course.study, course.variant) if ready else None
    if course.repeats and not course.searching:
        return turn("repeat", course.repeats[0], course.study, course.variant)
    return None
