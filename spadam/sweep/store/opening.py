"""The storage of a sweep, opened to read by whoever can read it with the least."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from spadam.files import Holder
from spadam.sweep.store.attempts import Reader
from spadam.sweep.store.sqlite_reader import read_file
from spadam.sweep.store.tables import TableReader, UnknownLayout, read_tables

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


@contextlib.contextmanager
def open_to_read(path: Path) -> Iterator[Reader]:
    """The storage in the SQLite file ``path``, which must be there. Optuna reads what we do not know.

    Raises :class:`InputError` when the file is no storage of a sweep.
    """
    try:
        reader: Reader = read_file(path)
    except UnknownLayout:
        from spadam.sweep.store.connection import open_file  # here, because they take half a second to import
        from spadam.sweep.store.studies import StorageReader

        with open_file(path) as storage:
            yield StorageReader(storage)
        return
    yield reader


@contextlib.contextmanager
def open_server(url: URL) -> Iterator[tuple[Reader, dict[str, Holder]]]:
    """What the server at ``url`` holds, as it is at one moment, and who works on which of its sweeps.

    Nothing is made there. Raises :class:`InputError` when nothing answers.
    """
    import psycopg  # here, because servers are few

    from spadam.sweep.store.server import Server
    from spadam.sweep.store.server_lock import holder_at

    server = Server(url)
    try:
        with server.connect() as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # all queries see one state
            connection.read_only = True
            reader: Reader = read_tables(connection.execute)
            found = ((name, holder_at(connection, name)) for name in reader.sweeps())
            agents = {name: by for name, by in found if by is not None}
    except psycopg.errors.UndefinedTable:  # nobody has ever run a sweep there
        reader, agents = TableReader({}, {}), {}
    except psycopg.Error as error:
        raise server.refusal(error) from None
    except UnknownLayout:
        from spadam.sweep.store.studies import StorageReader

        with server.open() as storage:
            yield StorageReader(storage), {}
        return
    yield reader, agents
