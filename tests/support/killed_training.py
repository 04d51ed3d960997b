"""Trainings that workers import by name, and that are killed at a moment that their slot and attempt decide.

Every training notes the steps that it makes in a file, so that what a kill has cost can be counted.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spadam.sweep.running.task import Task
from spadam.sweep.running.task import train as train_task
from spadam.training import telemetry
from spadam.training.progress import Progress
from spadam.training.result import RunResult

STEPS, EVERY = 12, 2
KILLED_AT = ((5, 9), (1, 12), (11, None))
"""After which step attempts 0 and 1 of a slot are killed, by the slot's number."""
EVENTS = (7, 24, 39, 58, 81)
"""The call that changes the disk, counted from 0, at which attempt 0 of a slot is killed; attempt 1 at half of it."""


def at_a_step(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    """Killed after steps, once a worker has told of them."""
    wanted = (*KILLED_AT[task.slot.number % len(KILLED_AT)], None)[min(task.attempt, 2)]

    def watch(said: Progress) -> None:
        if said.doing == "training":
            note(task, said.step)
            if said.step == wanted:
                os.kill(os.getpid(), signal.SIGKILL)
        progress(said)

    return _train(task, watch)


def in_the_middle_of_writing(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    """Killed before or within a call that changes what is on the disk."""
    return _killed_at_call(task, progress, EVENTS[task.slot.number % len(EVENTS)])


def every_other(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    """The same at every other call, for a sweep of as many trials as one likes."""
    return _killed_at_call(task, progress, 2 * task.slot.number)


def _killed_at_call(task: Task, progress: Callable[[Progress], None], number: int) -> RunResult:
    if task.attempt < 2:
        _kill_at(number // (task.attempt + 1))

    def watch(said: Progress) -> None:
        if said.doing == "training":
            note(task, said.step)
        progress(said)

    return _train(task, watch)


def _train(task: Task, watch: Callable[[Progress], None]) -> RunResult:
    telemetry._PROGRESS_SECONDS = 0.0  # every step is told
    task.out.mkdir(parents=True, exist_ok=True)
    return train_task(task, watch)


def note(task: Task, step: int) -> None:
    with (task.out.parent / "steps").open("a") as file:
        file.write(json.dumps([task.attempt, step]) + "\n")


def steps(slot: Path) -> list[tuple[int, int]]:
    """Which attempt made which step, in order."""
    return [tuple(json.loads(line)) for line in (slot / "steps").read_text().splitlines()]


def _kill_at(number: int) -> None:
    calls = -1

    def counted(act: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return act(*given, **named)

        return call

    for place, names in (
        (os, ("fsync", "link", "truncate")),
        (Path, ("replace", "unlink", "mkdir", "rmdir", "touch", "write_bytes")),
    ):
        for name in names:
            setattr(place, name, counted(getattr(place, name)))


def main() -> None:
    """The command `spadam sweep run` with one worker, which trains as :func:`at_a_step` does: ``SPEC OUT``."""
    import functools
    import sys

    from spadam.cli import program
    from spadam.sweep.running import agent
    from support import killed_training  # workers know it by this name

    agent.run_sweep = functools.partial(agent.run_sweep, train=killed_training.at_a_step)
    sys.argv[1:] = ["sweep", "run", sys.argv[1], "--out", sys.argv[2], "--workers", "1"]
    program()


if __name__ == "__main__":
    main()
