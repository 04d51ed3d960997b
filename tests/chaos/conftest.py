"""What faults are held against: the same sweeps, to which nothing happens."""

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from spadam.cli import main
from spadam.files import strict_json
from spadam.sweep.running.agent import run_sweep
from spadam.sweep.running.means import Means
from support.chaos.postgres import Postgres
from support.chaos.ride import Place
from support.chaos.warm import Warm

Rows = list[dict[str, Any]]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], Rows]:
    """The results of a sweep that is trained by nobody but the process of a test; the first that wants it trains it."""
    mine = tmp_path_factory.getbasetemp()
    shared = mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine

    def results(spec: dict[str, Any]) -> Rows:
        folder = shared / f"undisturbed-{hashlib.sha256(json.dumps(spec).encode()).hexdigest()[:16]}"
        folder.mkdir(exist_ok=True)
        rows = folder / "rows.json"
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not rows.exists():
                place = Place(folder, spec)
                rows.write_text(strict_json(run_sweep(place.file, place.out, means=Means(workers=0)).rows))
        return json.loads(rows.read_text())

    return results


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Who begins commands without their imports."""
    warm = Warm()
    yield warm
    warm.close()


@pytest.fixture(scope="session")
def _servers() -> Iterator[Callable[[], Postgres]]:
    """The server that all share who do nothing to it, started for the first of them."""
    with contextlib.ExitStack() as stack:
        yield functools.cache(lambda: stack.enter_context(_server()))


@pytest.fixture
def storage(_servers: Callable[[], Postgres]) -> Callable[[str], str | None]:
    """The address of a new database on a `server`; nothing for a `file`."""
    return lambda where: _servers().database() if where == "server" else None


@contextlib.contextmanager
def _server() -> Iterator[Postgres]:
    """A server, in no folder of pytest's, which keeps others out of them: as root it runs as another user."""
    with tempfile.TemporaryDirectory(prefix="spadam-pg-") as folder, Postgres(Path(folder)) as server:
        yield server


@pytest.fixture
def server() -> Iterator[Postgres]:
    """A server of one's own, to be killed."""
    with _server() as server:
        yield server


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def spadam(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command in this process; what it raises, other than its exit code, is a traceback, and fails the test."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> Ended:
        monkeypatch.setattr("sys.argv", ["spadam", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        found = Ended(code if isinstance(code, int) else 0 if code is None else 1, *capsys.readouterr())
        assert "Traceback" not in found.out + found.err
        return found

    return call
