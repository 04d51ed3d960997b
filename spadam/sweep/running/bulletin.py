"""What is under way, told to the storage now and then, for whoever looks at the sweep from elsewhere."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from spadam.sweep.outcome.under_way import UNDER_WAY, Training, UnderWay
from spadam.sweep.running.crew import Crew
from spadam.sweep.search.slots import Slot
from spadam.sweep.store.studies import Studies
from spadam.training.progress import Progress

EVERY_SECONDS = 5.0
"""A row is written at most so often, however many trainings run."""


class Bulletin:
    """Keeps what ``crew`` is at, and writes it into ``studies``."""

    def __init__(self, studies: Studies, crew: Crew) -> None:
        self._studies, self._crew = studies, crew
        self._trainings: dict[Slot, Training] = {}
        self._written: dict[str, Any] | None = None
        self._when = float("-inf")

    def begin(self, slot: Slot, attempt: int) -> None:
        """A training begins."""
        now = _now()
        self._trainings[slot] = Training(slot.variant, slot.id, slot.label, attempt, self._crew.where(slot), now, now)

    def move(self, slot: Slot, at: Progress) -> None:
        """A training has come so far."""
        if (known := self._trainings.get(slot)) is not None:
            self._trainings[slot] = known._replace(
                where=self._crew.where(slot), heard=_now(), step=at.step, total=at.total, loss=at.loss, doing=at.doing
            )

    def end(self, slot: Slot) -> None:
        """A training has ended."""
        self._trainings.pop(slot, None)

    def publish(self, at_once: bool = False) -> None:
        """Write it down, unless that was done a moment ago, or nothing has changed."""
        if not at_once and time.monotonic() - self._when < EVERY_SECONDS:
            return
        news = UnderWay(self._crew.size, list(self._trainings.values())).plain()
        if news != self._written:
            self._studies.describe({UNDER_WAY: news})
            self._written, self._when = news, time.monotonic()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
