"""Failures: when another attempt may fare better than one that has failed, and when a sweep is given up for it."""

from __future__ import annotations

from collections import Counter

from spadam.spec import InputError
from spadam.sweep.running.worker_process import Trouble
from spadam.sweep.search.slots import Slot
from spadam.sweep.store.attempts import Record
from spadam.text import count

_MOST_IN_A_ROW = 2
"""So many slots may be given up one after the other, and nothing succeed in between."""


class WorkFailed(Exception):
    """The sweep cannot go on; the text says why and what to do."""


class Failures:
    """Counts the attempts that have failed since an agent began; a slot gets ``retries`` more after the first."""

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._failed: Counter[Slot] = Counter()
        self._in_a_row = 0

    @property
    def all_fail(self) -> bool:
        """Whether what fails is not a slot but this machine, as far as one can tell."""
        return self._in_a_row >= _MOST_IN_A_ROW

    def succeeded(self) -> None:
        """A training has given a result."""
        self._in_a_row = 0

    def why_no_more(self, record: Record, trouble: Trouble) -> str | None:
        """Why nothing follows the last attempt of ``record``, which has ended in ``trouble``; None when one does.

        Wrong input stays wrong, and what has failed twice at the same place will again.
        """
        self._failed[record.slot] += 1
        if trouble.failure == "input":
            return "its input is wrong"
        earlier = (attempt.attributes.get("signature") for attempt in record.attempts[:-1])
        if trouble.failure == "bug" and trouble.signature in earlier:
            return "the same error came twice"
        if (failed := self._failed[record.slot]) > self._retries:
            self._in_a_row += 1
            return f"{count(failed, 'attempt')} {'has' if failed == 1 else 'have'} failed"
        return None


def given_up(slot: Slot, trouble: Trouble, reason: str) -> InputError | WorkFailed:
    """What ends a sweep when nothing follows an attempt at ``slot``."""
    if trouble.error is not None:
        return trouble.error
    said = f"{slot.variant} {slot.label}: {reason} ({trouble.said}). Mend it; the same command goes on."
    return WorkFailed(said if trouble.failure == "infra" else f"{trouble.traceback}\n{said}")
