from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spadam.files import strict_json, write_atomic
from spadam.tracking import Draw
from spadam.training.ledger import Ledger, Recorder, rows

ROWS: list[dict[str, Any]] = [
    {"epoch": 0, "step": 0, "time": 0.5, "val/fvu": 1.0},
    {"epoch": 0, "step": 10, "time": 1.5, "val/fvu": 0.1 + 0.2, "note": "ä\n"},
    {"epoch": 1, "step": 20, "time": 2.5, "arrays": {"density_histogram": [1, 2, 3]}},
]


def written(path: Path, some: list[dict[str, Any]]) -> Path:
    with Ledger(path) as ledger:
        for row in some:
            ledger.record(row)
    return path


def test_rows_come_back_equal_and_in_order(tmp_path: Path) -> None:
    path = written(tmp_path / "metrics.jsonl", ROWS)
    assert rows(path) == ROWS
    assert [list(row) for row in rows(path)] == [list(row) for row in ROWS]
    assert len(path.read_text().splitlines()) == len(ROWS)


def test_a_ledger_that_is_there_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, ROWS[:1])
    written(path, ROWS[1:])
    assert rows(path) == ROWS


def test_a_row_is_readable_as_soon_as_it_is_recorded(tmp_path: Path) -> None:
    with Ledger(tmp_path / "metrics.jsonl") as ledger:
        for n, row in enumerate(ROWS, start=1):
            ledger.record(row)
            assert rows(ledger.path) == ROWS[:n]


def test_numbers_of_numpy_are_numbers_and_what_is_not_finite_is_null(tmp_path: Path) -> None:
    row = {
        "half": np.float32(0.5),
        "three": np.int64(3),
        "yes": True,
        "nothing": None,
        "nan": float("nan"),
        "infinite": -np.inf,
        "arrays": {"a": [1.0, np.float64("nan")], "b": (np.float32("inf"), 2)},
    }
    (line,) = written(tmp_path / "metrics.jsonl", [row]).read_text().splitlines()

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(line, parse_constant=refuse) == {
        "half": 0.5,
        "three": 3,
        "yes": True,
        "nothing": None,
        "nan": None,
        "infinite": None,
        "arrays": {"a": [1.0, None], "b": [None, 2]},
    }


def test_what_is_not_plain_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with Ledger(tmp_path / "metrics.jsonl") as ledger:
        ledger.record(ROWS[0])
        with pytest.raises(TypeError, match="ndarray is not a plain value"):
            ledger.record({"step": 1, "a": np.zeros(2)})
        ledger.record(ROWS[1])
    assert rows(ledger.path) == ROWS[:2]


def test_strict_json_can_be_indented() -> None:
    assert strict_json({"a": [float("inf")]}, indent=2) == '{\n  "a": [\n    null\n  ]\n}'


def test_a_file_cut_anywhere_reads_as_its_whole_rows_and_can_be_continued(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.jsonl", ROWS).read_bytes()
    ends = [n for n, byte in enumerate(whole) if byte == ord("\n")]
    path, added = tmp_path / "cut.jsonl", {"step": 99}
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        expected = ROWS[
            : sum(end <= length for end in ends)
        ]  # a row is whole with its brace; the line end may be missing
        assert rows(path) == expected
        written(path, [added])
        assert rows(path) == [*expected, added]


@pytest.mark.parametrize("line", [b"{", b"[1]", b"1", b"\x00\x00", b"\xff", b""])
def test_a_line_in_the_middle_that_is_no_row_is_an_error_that_names_it(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n' + line + b'\n{"step": 2}\n')
    with pytest.raises(ValueError, match=r"metrics\.jsonl:2: every line must be one JSON object"):
        rows(path)


def test_truncate_drops_what_came_after_the_checkpoint_and_nothing_else(tmp_path: Path) -> None:
    some: list[dict[str, Any]] = [{"step": 0}, {"step": 10}, {"note": "no step"}, {"step": None}, {"step": 20}]
    path = written(tmp_path / "metrics.jsonl", [*some, {"step": 15}])
    before = path.read_bytes()
    with Ledger(path) as ledger:
        assert ledger.truncate(after_step=20) == 0
        assert path.read_bytes() == before
        assert ledger.truncate(after_step=10) == 2
        assert rows(path) == some[:4]
        ledger.record({"step": 11})
        assert rows(path) == [*some[:4], {"step": 11}]
        assert ledger.truncate(after_step=-1) == 3
        assert rows(path) == some[2:4]
    assert [each.name for each in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_run_that_was_killed_and_goes_on_records_nothing_twice(tmp_path: Path) -> None:
    path = written(tmp_path / "metrics.jsonl", [{"step": n} for n in range(8)])
    path.write_bytes(path.read_bytes() + b'{"step": 8, "va')
    with Ledger(path) as ledger:
        assert ledger.truncate(after_step=4) == 3
        for n in range(5, 12):
            ledger.record({"step": n})
    assert rows(path) == [{"step": n} for n in range(12)]


def test_close_puts_the_file_and_its_name_on_the_disk_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bool] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(stat.S_ISDIR(os.fstat(fd).st_mode)), fsync(fd))[1])
    ledger = Ledger(tmp_path / "metrics.jsonl")
    ledger.record(ROWS[0])
    assert synced == []  # a row need not survive a power cut at once
    ledger.close()
    ledger.close()
    assert synced == [False, True]


def test_write_atomic_replaces_text_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_atomic(path, "ä")
    assert path.read_bytes() == "ä".encode()
    write_atomic(path, b"\x00\n")
    assert path.read_bytes() == b"\x00\n"
    assert list(tmp_path.iterdir()) == [path]


def test_write_atomic_gives_the_file_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_atomic(tmp_path / "atomic", "")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_write_atomic_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "result.json"
    write_atomic(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_write_atomic_syncs_the_content_before_the_name_and_the_folder_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, done = tmp_path / "result.json", []
    fsync, replace = os.fsync, Path.replace

    def seen_fsync(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "content")
        fsync(descriptor)

    def seen_replace(self: Path, target: Path) -> Path:
        done.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(Path, "replace", seen_replace)
    write_atomic(path, "text")
    assert done == ["content", "replace", "folder"]


class Watched:
    """A tracker that notes what it is told, and fails in the calls named in ``failing``."""

    def __init__(self, ledger: Ledger, *failing: str) -> None:
        self.ledger, self.failing = ledger, failing
        self.told: list[tuple[str, object]] = []

    def _tell(self, call: str, what: object) -> None:
        self.told.append((call, what))
        if call in self.failing:
            raise ConnectionError("gone")

    def record(self, row: Mapping[str, Any]) -> None:
        assert rows(self.ledger.path)[-1] == row, "the ledger comes first"
        self._tell("record", row["step"])

    def show(self, draw: Draw, step: int) -> None:
        self._tell("show", (draw(), step))

    def summary(self, values: Mapping[str, Any]) -> None:
        assert self.ledger._file.closed, "the ledger is on the disk before the service is waited for"
        self._tell("summary", dict(values))

    def finish(self, exit_code: int = 0) -> None:
        self._tell("finish", exit_code)


def test_a_row_goes_to_the_ledger_first_and_then_to_the_tracker(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "metrics.jsonl")
    tracker = Watched(ledger)
    with Recorder(ledger, tracker) as recorder:
        recorder.record(ROWS[0])
        recorder.record(ROWS[1])
        recorder.show(lambda: {}, step=10)
        recorder.finish({"status": "complete"})
    assert rows(ledger.path) == ROWS[:2]
    assert tracker.told == [
        ("record", 0),
        ("record", 10),
        ("show", ({}, 10)),
        ("summary", {"status": "complete"}),
        ("finish", 0),
    ]


def test_pictures_that_cannot_be_drawn_stop_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(tmp_path / "metrics.jsonl")
    tracker = Watched(ledger)

    def broken() -> dict[str, Any]:
        raise MemoryError("too large")

    with caplog.at_level(logging.WARNING), Recorder(ledger, tracker) as recorder:
        recorder.record(ROWS[0])
        recorder.show(broken, step=0)
    assert [call for call, _ in tracker.told] == ["record", "finish"]
    assert caplog.messages == [f"tracking has stopped (MemoryError: too large); every row is in {ledger.path}"]


def test_a_tracker_that_has_failed_is_not_drawn_for(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "metrics.jsonl")
    with Recorder(ledger, Watched(ledger, "record")) as recorder:
        recorder.record(ROWS[0])
        recorder.show(lambda: pytest.fail("drawn for nobody"), step=0)


@pytest.mark.parametrize(
    ("failing", "told"),
    [
        ("record", ["record", "finish"]),
        ("summary", ["record", "record", "summary", "finish"]),
        ("finish", ["record", "record", "summary", "finish"]),
    ],
)
def test_a_tracker_that_fails_stops_nothing_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, failing: str, told: list[str]
) -> None:
    ledger = Ledger(tmp_path / "metrics.jsonl")
    tracker = Watched(ledger, failing, "finish")
    with caplog.at_level(logging.WARNING):
        recorder = Recorder(ledger, tracker)
        recorder.record(ROWS[0])
        recorder.record(ROWS[1])
        recorder.finish()
    assert rows(ledger.path) == ROWS[:2]
    assert [call for call, _ in tracker.told] == told
    assert caplog.messages == [f"tracking has stopped (ConnectionError: gone); every row is in {ledger.path}"]


def test_an_exception_finishes_the_tracker_with_exit_code_1_and_goes_on(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "metrics.jsonl")
    tracker = Watched(ledger)

    def train() -> None:
        with Recorder(ledger, tracker) as recorder:
            recorder.record(ROWS[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()
    assert tracker.told == [("record", 0), ("summary", {}), ("finish", 1)]


def test_a_ledger_that_fails_is_raised_and_the_tracker_does_not_see_the_row(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "metrics.jsonl")
    tracker = Watched(ledger)
    with pytest.raises(TypeError), Recorder(ledger, tracker) as recorder:
        recorder.record({"step": 1, "a": object()})
    assert [call for call, _ in tracker.told] == ["summary", "finish"]


def test_the_tracker_is_let_go_when_the_ledger_cannot_be_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path / "metrics.jsonl")
    tracker = Watched(ledger)

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    recorder = Recorder(ledger, tracker)
    with pytest.raises(OSError, match="Input/output error"):
        recorder.finish()
    assert tracker.told == [("summary", {}), ("finish", 0)]
