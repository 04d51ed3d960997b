"""A disk that is full: an error with path and cause, nothing lost that was acknowledged, and on it goes with room.

Limits on the size of files serve for a disk of any size, and an error in the place of any call for every moment: a full
file system would want the rights to mount one. The storage is filled up in tests/sweep/store/test_full_disk.py, and a
checkpoint that does not fit in tests/training/test_full_disk.py.
"""

import errno
import os
import resource
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spadam import report
from spadam.spec import dump
from spadam.sweep.outcome.table import rows as table
from spadam.sweep.running.task import train as train_task
from spadam.training import checkpoint
from spadam.training.ledger import Ledger
from spadam.training.result import RunResult
from spadam.training.run import run
from support import hopeless
from support.short_training import config, rows, same, weights
from support.sweep_bench import Bench
from support.wandb_desk import KEY, Desk
from support.wandb_rows import logged, shown
from support.wandb_server import WandbServer

SETTINGS: dict[str, Any] = {"trainer": {"checkpoint_every": 6, "epochs": 1}, "probe": None}


@pytest.fixture
def limit() -> Iterator[Callable[[int], None]]:
    """Let no file of this process grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    folder = tmp_path_factory.mktemp("whole") / "out"
    return folder, run(config(**SETTINGS), folder)


def at_each_call(monkeypatch: pytest.MonkeyPatch, number: int, calls: list[str]) -> None:
    """Have the disk be full at the ``number``-th call that wants more of it, and from then on."""

    def counted(name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            calls.append(name)
            if len(calls) > number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return act(*given, **named)

        return call

    monkeypatch.setattr(os, "fsync", counted("fsync", os.fsync))
    monkeypatch.setattr(Path, "touch", counted("touch", Path.touch))
    monkeypatch.setattr(Path, "write_bytes", counted("write_bytes", Path.write_bytes))
    monkeypatch.setattr(Ledger, "record", _recording(Ledger.record, counted))
    monkeypatch.setattr(checkpoint, "_Hashed", _hashing(checkpoint._Hashed, counted))


def _recording(record: Callable[..., None], counted: Callable[..., Any]) -> Callable[..., None]:
    """A ledger whose file refuses what is written to it."""

    class File:
        def __init__(self, file: Any) -> None:
            self._file = file
            self.write = counted("row", file.write)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    def call(self: Ledger, row: Any) -> None:
        file, self._file = self._file, File(self._file)  # type: ignore[assignment]
        try:
            record(self, row)
        finally:
            self._file = file

    return call


def _hashing(kind: type, counted: Callable[..., Any]) -> Callable[..., Any]:
    def made(file: Any) -> Any:
        hashed = kind(file)
        write, seen = hashed._file.write, counted("checkpoint", lambda data: write(data))

        class File:
            flush = file.flush

            def write(self, data: Any) -> Any:
                return seen(data)

        hashed._file = File()
        return hashed

    return made


def test_full_at_any_moment_of_a_training(
    whole: tuple[Path, RunResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One error that names a file; every row that was recorded is there; with room the bits of an undisturbed run."""
    every: list[str] = []
    with monkeypatch.context() as patch:
        at_each_call(patch, 10**9, every)
        run(config(**SETTINGS), tmp_path / "counted")
    assert set(every) == {"fsync", "touch", "write_bytes", "row", "checkpoint"}
    first = {name: every.index(name) for name in set(every)}
    last = {len(every) - 1 - every[::-1].index(name) for name in set(every)}
    for number in sorted({*first.values(), *last, *range(0, len(every), max(1, len(every) // 12))}):
        out = tmp_path / str(number)
        with monkeypatch.context() as patch:
            at_each_call(patch, number, [])
            with pytest.raises(OSError, match="No space left on device") as caught:
                run(config(**SETTINGS), out)
        assert caught.value.errno == errno.ENOSPC
        assert str(caught.value.filename).startswith(str(out)), every[number]
        acknowledged = rows(out) if (out / "metrics.jsonl").exists() else []
        assert acknowledged == rows(whole[0])[: len(acknowledged)]
        assert not list(out.rglob(".*.????????????")), "no half of a file is left"
        assert same(run(config(**SETTINGS), out), whole[1])
        assert weights(out) == weights(whole[0])
        assert rows(out) == rows(whole[0])
        shutil.rmtree(out)


def test_a_ledger_that_cannot_grow(limit: Callable[[int], None], tmp_path: Path) -> None:
    settings = {
        "trainer": {"checkpoint_every": None, "epochs": 12, "steps": 150},
        "probe": None,
        "model": {"latents": 8},
    }
    small = config(**settings)
    full = run(small, tmp_path / "whole")
    size = (tmp_path / "whole" / "metrics.jsonl").stat().st_size
    assert size > 6000 > (tmp_path / "whole" / "model.safetensors").stat().st_size
    limit(6000)
    with pytest.raises(OSError, match="File too large") as caught:
        run(small, tmp_path / "out")
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(tmp_path / "out" / "metrics.jsonl"))
    limit(resource.RLIM_INFINITY)
    known = rows(tmp_path / "out")
    assert known == rows(tmp_path / "whole")[: len(known)]
    assert same(run(small, tmp_path / "out"), full)
    assert rows(tmp_path / "out") == rows(tmp_path / "whole")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_worker_s_disk_is_full(bench: Bench, tmp_path: Path, workers: int) -> None:
    """It is tried again from its checkpoint, and the table is that of a sweep with room."""
    trainer = {"epochs": None, "steps": 8, "checkpoint_every": 2, "kernels": "reference"}
    changes = {"base": {"trainer": trainer, "probe": None}, "repeat": {"seeds": 1}}
    bench.write(changes)
    assert bench.run(hopeless.no_disk_once, workers=workers) == 0
    told = bench.told.getvalue()
    assert told.count("failed (infra): ") == 2
    assert "File too large" in told
    assert "attempt-0" in told.replace("\n", "")
    (tmp_path / "whole").mkdir()
    roomy = Bench(tmp_path / "whole")
    roomy.write(changes)
    assert roomy.run(train_task) == 0
    found, wanted = table(*bench.read()), table(*roomy.read())
    assert [row["value"] for row in found] == [row["value"] for row in wanted]
    assert Counter(row["attempts"] for row in found) == {1: len(found) - 2, 2: 2}
    assert not list(bench.folder.rglob("checkpoints"))


def test_the_page_does_not_fit(bench: Bench, limit: Callable[[int], None]) -> None:
    assert bench.run() == 0
    before = bench.files()
    limit(5000)
    with pytest.raises(OSError, match="File too large") as caught:
        report.write(bench.outcome())
    limit(resource.RLIM_INFINITY)
    assert str(caught.value.filename).startswith(str(bench.folder))
    assert bench.files() == before, "nothing is half written"
    assert report.write(bench.outcome()).is_file()


def test_the_folder_of_wandb_is_full(tmp_path: Path) -> None:
    """W&B is a view: the training ends with every row, a warning says so, and `spadam sync` brings all of it."""
    desk = Desk(tmp_path)
    plain = config(**SETTINGS, tracking={"mode": "offline", "project": "sparse"}).plain()
    (desk.root / "here" / "run.yaml").write_text(dump(plain))
    out = desk.root / "here" / "run"
    out.mkdir()
    (out / "wandb").symlink_to("wandb")  # nothing can be written below it, not even by root
    done = desk.command("spadam", "train", "run.yaml", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "W&B" in done.stderr
    assert "Traceback" not in done.stderr
    (out / "wandb").unlink()
    with WandbServer() as server:
        here = {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY}
        synced = desk.command("spadam", "sync", "run", **here)
        assert synced.returncode == 0, synced.stderr
        ((_, seen),) = server.runs.items()
        *measured, _ = [shown(row) for row in seen.rows]
        assert measured == logged(out)
