"""Patience with a server that is away: what is asked of it is asked again until it answers, for so long at most."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from spadam.sweep.store.causes import causes
from spadam.sweep.store.trouble import StorageGone
from spadam.text import duration

T = TypeVar("T")

_FIRST_SECONDS, _LONGEST_SECONDS = 0.1, 5.0
"""The first wait, and the longest; each is twice as long as the one before, less up to a half of it."""


class Patience:
    """Has what is asked of a server done, though it may be away for up to ``seconds`` at a time.

    ``note`` is told when the wait begins and when it has ended; ``meanwhile`` is what is done in it: it is called with
    the seconds to pass. What is asked must be safe to be done twice: a server may go when it has done it and before it
    has said so.
    """

    def __init__(self, seconds: float, note: Callable[[str], None]) -> None:
        self.meanwhile: Callable[[float], None] = time.sleep
        self._seconds, self._note = seconds, note
        self.over = False
        """Whether it has had an end."""
        self._random = random.Random()  # of its own: that of trainings must not move

    def hurry(self) -> None:
        """From now on wait no longer: whoever waits wants to leave."""
        self._seconds = 0.0

    def __call__(self, act: Callable[[], T]) -> T:
        """What ``act`` gives. Raises :class:`StorageGone` when the patience has an end."""
        since, wait = None, _FIRST_SECONDS
        while True:
            try:
                found = act()
            except Exception as error:
                if not is_outage(error):
                    raise
                reason = _said(error)
                now = time.monotonic()
                if since is None:
                    since = now
                    if self._seconds:
                        self._note(f"the storage does not answer ({reason}): waiting up to {duration(self._seconds)}")
                if now - since >= self._seconds:
                    self.over = True
                    said = f"the storage has not answered for {duration(now - since)} ({reason})"
                    raise StorageGone(f"{said}; the same command goes on when it does") from error
                self.meanwhile(min(wait * self._random.uniform(0.5, 1.0), self._seconds - (now - since)))
                wait = min(2 * wait, _LONGEST_SECONDS)
            else:
                if since is not None:
                    self._note(f"the storage answers again, after {duration(time.monotonic() - since)}")
                return found


def is_outage(error: BaseException) -> bool:
    """Whether ``error`` says that the server is away, however Optuna and SQLAlchemy have wrapped it."""
    import psycopg
    from sqlalchemy.exc import DBAPIError

    away = (psycopg.OperationalError, psycopg.InterfaceError, TimeoutError)
    return any(
        isinstance(cause, away) or (isinstance(cause, DBAPIError) and cause.connection_invalidated)
        for cause in causes(error)
    )


def _said(error: BaseException) -> str:
    """The line that says most: that of the first cause which says anything."""
    said = [next(iter(str(cause).strip().splitlines()), "") for cause in causes(error)]
    return next(filter(None, reversed(said)), type(error).__name__)
