"""The lock of a sweep at a server: an advisory lock of a session, which is gone with its connection.

Who has it stands in the session's name, where whoever looks can read it; so there is no table of ours.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from spadam.files import Holder
from spadam.sweep.store.trouble import taken

if TYPE_CHECKING:
    import psycopg

    from spadam.sweep.store.server import Server

_LINGER_SECONDS, _BETWEEN_SECONDS = 2.0, 0.05
"""A server needs a moment until it has noticed that who had the lock has died."""

_LONGEST_NAME = 63  # what the server keeps of it

_WHO = """
SELECT application_name FROM pg_stat_activity WHERE pid = (
    SELECT pid FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = %s AND objid = %s
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
"""


class ServerLock:
    """The lock of ``sweep`` at ``server``, which is ours."""

    def __init__(self, server: Server, sweep: str) -> None:
        self._server, self._sweep = server, sweep
        now = datetime.now(UTC)
        self.me = Holder(socket.gethostname(), os.getpid(), now.isoformat(timespec="seconds"))
        self._name = f"spadam {os.getpid()} {now:%Y%m%dT%H%M%SZ} {socket.gethostname()}"[:_LONGEST_NAME]
        self._connection: psycopg.Connection[Any] | None = None

    def take(self) -> None:
        """Have the lock, on a new connection.

        Raises :class:`SweepTaken` when another agent has it, TimeoutError when a lost connection of ours still has it,
        and what the driver raises.
        """
        self.close()
        connection = self._server.connect(self._name)
        try:
            connection.autocommit = True  # it must not stand within a transaction for hours
            end = time.monotonic() + _LINGER_SECONDS
            while connection.execute("SELECT pg_try_advisory_lock(%s, %s)", _key(self._sweep)).fetchone() != (True,):
                if time.monotonic() > end:
                    raise self._refusal(connection)
                time.sleep(_BETWEEN_SECONDS)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def check(self) -> bool:
        """Whether it had to be taken anew, since its connection was lost. Raises what :meth:`take` raises."""
        import psycopg

        if self._connection is not None:
            try:
                self._connection.execute("SELECT 1")
            except psycopg.Error:
                pass
            else:
                return False
        self.take()
        return True

    def close(self) -> None:
        """Let it go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _refusal(self, connection: psycopg.Connection[Any]) -> Exception:
        by = holder_at(connection, self._sweep)
        if by == Holder(*_parts(self._name)):
            return TimeoutError("the server has not noticed yet that a connection is lost")
        return taken(f"on {self._sweep} at {self._server.shown}", by)


@contextlib.contextmanager
def hold_sweep(server: Server, sweep: str) -> Iterator[ServerLock]:
    """Be the only agent of ``sweep`` at ``server`` until the end of the block. Raises :class:`SweepTaken`."""
    lock = ServerLock(server, sweep)
    lock.take()
    try:
        yield lock
    finally:
        lock.close()


def holder_at(connection: psycopg.Connection[Any], sweep: str) -> Holder | None:
    """Who works on ``sweep``, as the server at the other end of ``connection`` knows it; None when nobody does."""
    # What are signed numbers in the call are unsigned ones in the view.
    high, low = (number & 0xFFFFFFFF for number in _key(sweep))
    found = connection.execute(_WHO, (high, low)).fetchone()
    return None if found is None else Holder(*_parts(found[0]))


def _parts(name: str) -> tuple[str, int, str]:
    match = re.fullmatch(r"spadam (\d+) (\d{8}T\d{6}Z) (.*)", name)
    if match is None:
        return "unknown", 0, ""
    since = datetime.strptime(match[2], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return match[3], int(match[1]), since.isoformat(timespec="seconds")


def _key(sweep: str) -> tuple[int, int]:
    """Two numbers of 32 bits for the name of a sweep; the lock is one of the database."""
    digest = hashlib.sha256(f"spadam sweep {sweep}".encode()).digest()
    return int.from_bytes(digest[:4], signed=True), int.from_bytes(digest[4:8], signed=True)
