"""A sweep on which nobody is at work."""

from __future__ import annotations

from typing import Any

from spadam.sweep.store.attempts import Attempt, Record, Stored


class Unattended:
    """A sweep on which nobody is at work: what its storage calls running is waiting to be done again."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored

    def attributes(self) -> dict[str, Any]:
        """As they are stored."""
        return self._stored.attributes()

    def records(self, variant: str, studies: int) -> dict[str, Record]:
        """As they are stored, but that nothing runs."""
        records = self._stored.records(variant, studies)
        return {id_: record._replace(attempts=tuple(map(_rest, record.attempts))) for id_, record in records.items()}


def _rest(attempt: Attempt) -> Attempt:
    return attempt._replace(state="waiting") if attempt.state == "running" else attempt
