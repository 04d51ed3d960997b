"""Where a sweep is kept: Optuna's storage, in a file or at an address."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError

from spadam.spec import InputError
from spadam.sweep.store.half_written import die_half_written

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
def open_address(url: str) -> Iterator[BaseStorage]:
    """The storage at the SQLAlchemy address ``url``, to read from: a server's, or a file's (`sqlite:///…/sweep.db`).

    Nothing is made there. Raises :class:`InputError`, without the password, when nothing can be read there.
    """
    if not holds_studies(url):
        shown = make_url(url).render_as_string(hide_password=True)
        raise InputError("--storage", shown, "it must hold a sweep, and holds no study", "check the name at its end")
    if make_url(url).get_backend_name() == "sqlite":
        with open_file(Path(make_url(url).database or "")) as storage:
            yield storage
        return
    storage = RDBStorage(url, engine_kwargs=_options(make_url(url)), skip_table_creation=True)
    with _closing(storage):
        yield optuna.storages.get_storage(storage)


def holds_studies(url: str) -> bool:
    """Whether studies are kept at the address ``url``.

    Raises :class:`InputError`, without the password, when it is no address, or nothing answers there.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        address = make_url(url)
    except ArgumentError:
        rule, remedy = "it must be an address", "write postgresql+psycopg://user@host/name or sqlite:///folder/sweep.db"
        raise InputError("--storage", None, rule, remedy) from None
    shown = address.render_as_string(hide_password=True)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        raise InputError("--storage", shown, "the file must be there", "check the path, which begins after sqlite:///")
    try:
        engine = create_engine(address, **_options(address))
        with contextlib.closing(engine.connect()) as connection:
            held = inspect(connection).has_table("studies")
        engine.dispose()
    except (NoSuchModuleError, ImportError):
        rule, remedy = "its driver must be installed", 'for PostgreSQL: pip install "spadam[postgres]"'
        raise InputError("--storage", shown, rule, remedy) from None
    except DatabaseError as error:
        reason = str(error.orig).strip().splitlines()[0]
        if address.password:
            reason = reason.replace(str(address.password), "***")
        raise InputError("--storage", shown, f"it must answer ({reason})", "check address and server") from None
    return held


def _options(address: URL) -> dict[str, Any]:
    options: dict[str, Any] = {"pool_pre_ping": True}
    if address.get_backend_name() == "postgresql":
        options["connect_args"] = {"options": "-c timezone=UTC"}  # sessions in different zones misjudge each other
    return options


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
            reason = error if (cause := _refusal(error)) is None else cause
            if cause is not None and cause.sqlite_errorcode & 0xFF in _DISK:
                raise
            rule = f"it must be the storage of a sweep ({reason})"
            raise InputError(str(path), None, rule, "move it away, or choose another --out") from None
        with _closing(storage):
            yield storage


_DISK = {
    sqlite3.SQLITE_BUSY: errno.EAGAIN,
    sqlite3.SQLITE_CANTOPEN: errno.EIO,
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
}
"""What SQLite says of a disk, and the system of the same."""


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Make an OSError of whatever a disk refuses within the block, however SQLAlchemy and Optuna have wrapped it."""
    try:
        yield
    except (DatabaseError, sqlite3.DatabaseError, optuna.exceptions.StorageInternalError) as error:
        cause = _refusal(error)
        if cause is None or (number := _DISK.get(cause.sqlite_errorcode & 0xFF)) is None:
            raise
        raise OSError(number, str(cause), str(path)) from error


def _refusal(error: BaseException | None) -> sqlite3.Error | None:
    """What SQLite said, behind ``error``."""
    while error is not None and not (isinstance(error, sqlite3.Error) and hasattr(error, "sqlite_errorcode")):
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__
    return error


@contextlib.contextmanager
def _closing(storage: RDBStorage) -> Iterator[None]:
    die_half_written(storage.engine)
    try:
        yield
    finally:
        storage.remove_session()
        storage.engine.dispose()
