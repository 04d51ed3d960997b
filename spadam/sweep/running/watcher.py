"""The watcher of a sweep: whom its agent tells what happens. The contract, and the watcher that only logs.

An agent knows no console: who prints, draws or logs is a watcher; see :mod:`spadam.terminal.sweep` for two of them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from spadam.sweep.outcome.progress import Tally
from spadam.sweep.search.slots import Slot
from spadam.training.progress import Progress

log = logging.getLogger(__name__)


class Watcher(Protocol):
    """Hears of a sweep while it runs. All calls come from the agent's thread, and none may take long."""

    def open(self, metric: str, workers: int) -> None:
        """The data has been read: trainings begin, ``workers`` of them at a time, and are compared by ``metric``."""

    def resize(self, workers: int) -> None:
        """From now on ``workers`` trainings run at a time; 0 while there is nobody to train."""

    def update(self, tallies: Sequence[Tally]) -> None:
        """The variants in numbers, anew after every training."""

    def begin(self, slot: Slot, where: str = "") -> None:
        """A training begins; ``where`` is a host and a process there."""

    def move(self, slot: Slot, progress: Progress) -> None:
        """A training has come so far."""

    def end(self, slot: Slot, status: str, value: float | None) -> None:
        """A training has a result: it is `complete`, with ``value`` of the metric, or ``status`` says how it ended.

        `failed` says that it has none.
        """

    def note(self, text: str) -> None:
        """Something that a person should know."""


class Quiet:
    """A watcher that says nothing but what a person should know, and logs that as a warning."""

    def open(self, metric: str, workers: int) -> None:
        """Do nothing."""

    def resize(self, workers: int) -> None:
        """Do nothing."""

    def update(self, tallies: Sequence[Tally]) -> None:
        """Do nothing."""

    def begin(self, slot: Slot, where: str = "") -> None:
        """Do nothing."""

    def move(self, slot: Slot, progress: Progress) -> None:
        """Do nothing."""

    def end(self, slot: Slot, status: str, value: float | None) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Log it."""
        log.warning("%s", text)
