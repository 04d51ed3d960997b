"""The crew of an agent: who trains its tasks. The contract, and the crew of nobody but the agent itself."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import NamedTuple, Protocol

from spadam.sweep.running.task import Task, Train
from spadam.sweep.running.worker_process import Trouble, attempt
from spadam.sweep.search.slots import Slot
from spadam.training.progress import Progress
from spadam.training.result import RunResult


class Ending(NamedTuple):
    """How a task ended."""

    task: Task
    outcome: RunResult | Trouble


class Crew(Protocol):
    """Trains tasks. All calls come from the agent's thread."""

    size: int
    """So many tasks may be under way at a time. It may change while others train; 0: nobody is there at the moment."""

    def begin(self, task: Task) -> None:
        """Have ``task`` trained; fewer than ``size`` are under way."""

    def listen(self, moved: Callable[[Slot, Progress], None], noted: Callable[[str], None]) -> list[Ending]:
        """Wait a second at most, and say what has ended; ``moved`` and ``noted`` are called with what else is heard.

        It waits too when nothing is under way, unless this process is the one that trains.
        """

    def where(self, slot: Slot) -> str:
        """Who trains the task of ``slot``, which is under way: a host, and a process there."""

    def close(self) -> None:
        """Let everybody go at once, whatever they are at; nothing is begun after that."""


class Alone:
    """Nobody: tasks are trained in this process, one at a time, where a debugger can look at them."""

    size = 1

    def __init__(self, train: Train) -> None:
        self._train = train
        self._task: Task | None = None

    def begin(self, task: Task) -> None:
        """Keep it until :meth:`listen`."""
        self._task = task

    def listen(self, moved: Callable[[Slot, Progress], None], noted: Callable[[str], None]) -> list[Ending]:
        """Train the task to its end."""
        task, self._task = self._task, None
        assert task is not None
        return [Ending(task, attempt(task, self._train, lambda progress: moved(task.slot, progress)))]

    def where(self, slot: Slot) -> str:
        """It is this process."""
        return place_name(os.getpid())

    def close(self) -> None:
        """There is nobody to let go."""


def place_name(pid: int | None, host: str | None = None) -> str:
    """A process as a person finds it: its host, by default this one, and its number there."""
    return f"{host or socket.gethostname()}, process {'?' if pid is None else pid}"
