"""The file of a sweep, opened by whoever can read it with the least."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from spadam.sweep.store.attempts import Reader
from spadam.sweep.store.sqlite_reader import UnknownLayout, read_file


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
