"""A sweep's SQLite file, read without Optuna."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from urllib.parse import quote

from spadam.sweep.store.tables import TableReader, UnknownLayout, read_tables

PATIENCE_SECONDS = 60.0
"""A writer holds SQLite's lock for a moment, whenever it commits."""


def read_file(path: Path) -> TableReader:
    """Everything in the file ``path``, between two commits of those who write there.

    The file is opened to read only, and nothing is made beside it. Raises :class:`UnknownLayout` for tables that
    cannot be understood, and where SQLite would have to write before it can read: beside a file in WAL mode, and into
    one whose writer has died in the middle of a commit.
    """
    try:
        with path.open("rb") as file:
            if file.read(20)[18:] != b"\1\1":  # how the file is written and read: by a rollback journal
                raise UnknownLayout("the file is in WAL mode, or is no SQLite file")
        address = f"file:{quote(str(path.absolute()))}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=PATIENCE_SECONDS)) as connection:
            connection.execute("BEGIN")  # all queries see one state
            found = read_tables(connection.execute)
            _check_attributes(connection)
            return found
    except (sqlite3.Error, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnknownLayout(f"{type(error).__name__}: {error}") from error


def _check_attributes(connection: sqlite3.Connection) -> None:
    """Raise :class:`UnknownLayout` where an attribute is no JSON: they are read later, one by one."""
    wrong = "SELECT count(*) FROM trial_user_attributes WHERE NOT json_valid(value_json)"
    if connection.execute(wrong).fetchone() != (0,):
        raise UnknownLayout("an attribute is no JSON")
