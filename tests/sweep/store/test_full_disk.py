"""A storage that cannot be written: one error of the disk, with its path; the same call goes on when there is room."""

import errno
import resource
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spadam.spec import InputError
from spadam.sweep.outcome.status import status
from spadam.sweep.outcome.table import rows
from spadam.sweep.running.task import Task
from spadam.sweep.store.connection import open_file
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support import sweep_quadratic as quadratic
from support.sweep_bench import Bench


def test_one_that_fills_up_in_the_middle(bench: Bench) -> None:
    before, trained = resource.getrlimit(resource.RLIMIT_FSIZE), []

    def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        trained.append(task)
        if len(trained) == 3:
            size = (bench.folder / "sweep.db").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 2000, before[1]))
        result = quadratic.train(task, progress)
        return result._replace(arrays={"large": "x" * 100_000} if len(trained) == 3 else {})

    try:
        with pytest.raises(OSError, match=r"sweep\.db") as caught:
            bench.run(train)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, str(bench.folder / "sweep.db"))
    assert "bug" not in bench.told.getvalue()
    assert sum(state["accepted"] for state in status(*bench.read())["variants"].values()) == 2
    assert bench.run() == 0
    found = rows(*bench.read())
    assert {row["status"] for row in found} == {"complete"}
    assert sorted(row["attempts"] for row in found) == [1] * 9 + [2]


def test_one_that_may_only_be_read_is_told_before_anything_is_trained(
    finished: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished.write({"search": {"trials": 4}})
    before, connect = finished.files(), sqlite3.connect

    def reading(path: Any, **options: Any) -> sqlite3.Connection:
        return connect(f"file:{path}?mode=ro", uri=True, **options)

    monkeypatch.setattr("spadam.sweep.store.connection.sqlite3.connect", reading)
    with pytest.raises(OSError, match="attempt to write a readonly database") as caught:
        finished.run()
    assert (caught.value.errno, caught.value.filename) == (errno.EROFS, str(finished.folder / "sweep.db"))
    monkeypatch.setattr("spadam.sweep.store.connection.sqlite3.connect", connect)
    after = finished.files()
    assert {name for name in after if after[name] != before.get(name)} <= {"lr-eps/.lock"}


def test_what_is_no_storage_is_another_matter(tmp_path: Path) -> None:
    (path := tmp_path / "sweep.db").write_text("a letter" * 1000)
    with pytest.raises(InputError, match="must be the storage of a sweep"), open_file(path):
        pass
