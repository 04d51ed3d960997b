"""Where a sweep is kept: Optuna's storage, in a file or at an address."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy.exc import DatabaseError

from spadam.spec import InputError
from spadam.sweep.store.address import read_place
from spadam.sweep.store.causes import DISK, code_of, refusal
from spadam.sweep.store.closing import closing
from spadam.sweep.store.server import Server

_PATIENCE_SECONDS = 60.0  # a reader in another terminal may hold SQLite's lock for a moment


@contextlib.contextmanager
def open_file(path: Path) -> Iterator[BaseStorage]:
    """The SQLite storage in the file ``path``, made if it is not there, whole or not at all.

    Raises :class:`InputError` when the file is no storage of a sweep, and OSError when it cannot be written, be it
    within the block: then what it held before is there.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if not path.exists():
        temporary = path.with_name(f".{path.name}.new")
        temporary.unlink(missing_ok=True)
        with _file(temporary):
            pass
        os.replace(temporary, path)
    with _file(path) as storage:
        yield optuna.storages.get_storage(storage)


@contextlib.contextmanager
def open_address(given: str | None) -> Iterator[BaseStorage]:
    """The storage at the address ``given``, or at that in the environment. Nothing is made there.

    It is a server's, or a file's (`sqlite:///…/sweep.db`).

    Raises :class:`InputError`, without the password, when no sweep can be read there.
    """
    place = read_place(given)
    if isinstance(place, Path):
        with open_file(place) as storage:
            yield storage
        return
    server = Server(place)
    if not server.holds_tables():
        remedy = "check the name at its end"
        raise InputError("--storage", server.shown, "it must hold a sweep, and holds no study", remedy)
    with server.open() as storage:
        yield storage


def holds_studies(given: str | None) -> bool:
    """Whether studies are kept at the address ``given``, or at that in the environment.

    Raises :class:`InputError`, without the password, when it is no address, or nothing answers there.
    """
    place = read_place(given)
    return isinstance(place, Path) or Server(place).holds_tables()


@contextlib.contextmanager
def _file(path: Path) -> Iterator[RDBStorage]:
    def connect() -> sqlite3.Connection:  # an address could not hold every path
        return sqlite3.connect(path, timeout=_PATIENCE_SECONDS, check_same_thread=False)

    with _disk(path):
        try:
            with contextlib.closing(connect()) as connection:
                connection.execute("BEGIN IMMEDIATE")  # what cannot be written is told before anything else is done
                connection.rollback()
            storage = RDBStorage("sqlite:///sweep.db", engine_kwargs={"creator": connect})
        except (DatabaseError, sqlite3.DatabaseError) as error:
            reason = error if (cause := refusal(error)) is None else cause
            if cause is not None and code_of(cause) in DISK:
                raise
            rule = f"it must be the storage of a sweep ({reason})"
            raise InputError(str(path), None, rule, "move it away, or choose another --out") from None
        with closing(storage):
            yield storage


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Make an OSError of whatever a disk refuses within the block, however SQLAlchemy and Optuna have wrapped it."""
    try:
        yield
    except (DatabaseError, sqlite3.DatabaseError, optuna.exceptions.StorageInternalError) as error:
        cause = refusal(error)
        if cause is None or (number := DISK.get(code_of(cause))) is None:
            raise
        raise OSError(number, str(cause), str(path)) from error
