"""A storage whose file is damaged: told as that, with the file, by whoever only reads."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from spadam.spec import InputError
from spadam.sweep.store.causes import DISK, code_of, refusal

_OF_THE_DISK = DISK.keys() - {sqlite3.SQLITE_CORRUPT}
"""What SQLite says when it is not the file that is wrong."""

_LIBRARIES = ("optuna", "sqlalchemy", "sqlite3")


@contextlib.contextmanager
def told_if_damaged(path: Path) -> Iterator[None]:
    """Make an :class:`InputError` about the storage at ``path`` of what is raised where it is read within the block.

    What is no JSON, or no page of SQLite's, is raised by whichever library comes upon it, and none is imported here.
    """
    try:
        yield
    except Exception as error:
        if not (isinstance(error, json.JSONDecodeError) or type(error).__module__.split(".")[0] in _LIBRARIES):
            raise
        said = refusal(error)
        if said is not None and code_of(said) in _OF_THE_DISK:
            raise
        why = _first(error)
        rule = f"its storage is damaged ({type(why).__name__}: {why})"
        remedy = "bring back a copy of the file, or move it away: what was trained is in the folders beside it"
        raise InputError(str(path), None, rule, remedy) from error


def _first(error: BaseException) -> BaseException:
    """What ``error`` began with."""
    while (cause := error.__cause__) is not None:
        error = cause
    return error
