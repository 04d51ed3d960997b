"""The training that workers import by name: the real one, which notes every step that it makes in a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from spadam.sweep.running import task as real
from spadam.sweep.running.task import Task
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support.chaos.variables import LOG


class Step(NamedTuple):
    """A step of a training, in the order in which they were made."""

    variant: str
    slot: str
    attempt: int
    pid: int
    number: int
    """From 1; 0 says that the attempt begins."""


def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    """Train ``task`` as a sweep does, and note its steps."""
    from spadam.training import telemetry

    telemetry._PROGRESS_SECONDS = -1.0  # every step is told
    log = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    slot = task.slot

    def note(step: int) -> None:
        os.write(log, f"{slot.variant} {slot.id} {task.attempt} {os.getpid()} {step}\n".encode())

    def noted(there: Progress) -> None:
        if there.doing == "training":
            note(there.step)
        progress(there)

    note(0)
    try:
        return real.train(task, noted)
    finally:
        os.close(log)


def read(log: Path) -> Iterator[Step]:
    """The steps that were noted in the file ``log``."""
    return steps_in(log.read_text() if log.exists() else "")


def steps_in(text: str) -> Iterator[Step]:
    """The steps that ``text`` notes, whose last line may be half there."""
    for line in text.rpartition("\n")[0].splitlines():
        variant, slot, attempt, pid, number = line.split()
        yield Step(variant, slot, int(attempt), int(pid), int(number))
