"""What lies behind an error that Optuna and SQLAlchemy have wrapped, and what SQLite means by it."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator

DISK = {
    sqlite3.SQLITE_BUSY: errno.EAGAIN,
    sqlite3.SQLITE_CANTOPEN: errno.EIO,
    sqlite3.SQLITE_CORRUPT: errno.EIO,
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
}
"""What SQLite says of a disk and of a file on it, and the system of the same."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """``error``, and what is behind it, the first cause last."""
    while error is not None:
        yield error
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__


def refusal(error: BaseException) -> sqlite3.Error | None:
    """What SQLite said, behind ``error``."""
    said = (cause for cause in causes(error) if isinstance(cause, sqlite3.Error))
    return next((cause for cause in said if hasattr(cause, "sqlite_errorcode")), None)


def code_of(said: sqlite3.Error) -> int:
    """Which of its codes SQLite gave, without the finer distinctions."""
    return said.sqlite_errorcode & 0xFF
