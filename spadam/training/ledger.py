"""What a run records, and the one path that every row takes.

A *row* is a mapping of names to numbers: ``epoch``, ``step``, ``time``, and the metrics that were measured then; a
histogram among them is a mapping of its own. A *ledger* is a run's ``metrics.jsonl``, one JSON object a line. A
*recorder* hands each row to the ledger first and to the tracker second, so that what was measured is on this machine
whatever becomes of the service that shows it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from spadam.files import at, strict_json, sync, write_atomic
from spadam.tracking import Draw, Tracker

log = logging.getLogger(__name__)


class Mark(NamedTuple):
    """How far a ledger was: a checkpoint holds it, and so knows the rows that came before it."""

    rows: int
    """So many there were; the one that follows has this number, for W&B too."""
    bytes: int
    """Their length in the file."""
    sha256: str
    """Of those bytes."""


class Ledger:
    """The file of rows at ``path``, open for appending; a line that a kill left unfinished is mended on opening.

    One process writes at a time. A row is handed to the operating system as soon as it is recorded, so it outlives the
    process; :meth:`sync` and :meth:`close` also put it on the disk, so that it outlives a power cut. Raises OSError
    when the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists():
            _mend(path)
        self._open()

    def _open(self) -> None:
        self._file = self.path.open("ab", buffering=0)  # what could not be written must not be tried again on closing
        content = self.path.read_bytes()
        self._rows, self._bytes, self._digest = content.count(b"\n"), len(content), hashlib.sha256(content)

    def record(self, row: Mapping[str, Any]) -> None:
        """Append one row. Nothing is written when the row cannot be written as JSON (TypeError)."""
        line = strict_json(row).encode() + b"\n"
        try:
            written = 0
            while written < len(line):  # on a disk that fills up the first call takes what fits
                written += self._file.write(line[written:])
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self._bytes)
            raise at(self.path, error) from None
        self._rows, self._bytes = self._rows + 1, self._bytes + len(line)
        self._digest.update(line)

    def sync(self) -> None:
        """Put what was recorded on the disk."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise at(self.path, error) from None

    @property
    def mark(self) -> Mark:
        """How far it is now."""
        return Mark(self._rows, self._bytes, self._digest.hexdigest())

    def holds(self, mark: Mark) -> bool:
        """Whether it begins with the very rows that it had at ``mark``."""
        return hashlib.sha256(self.path.read_bytes()[: mark.bytes]).hexdigest() == mark.sha256

    def rewind(self, mark: Mark | None) -> None:
        """Drop what was recorded after ``mark``, which it :meth:`holds`; all of it, whatever it is, without a mark."""
        if mark is None or self._bytes > mark.bytes:
            kept = b"" if mark is None else self.path.read_bytes()[: mark.bytes]
            self._file.close()
            write_atomic(self.path, kept)
            self._open()

    def truncate(self, after_step: int) -> int:
        """Drop the rows whose ``step`` is greater than ``after_step``, and say how many there were.

        It is how a run goes on whose checkpoint an older release has written, without a :class:`Mark`. Rows without a
        step stay. Raises ValueError as :func:`rows` does.
        """
        found = rows(self.path)
        self._file.close()
        lines = self.path.read_bytes().splitlines(keepends=True)
        kept = [line for line, row in zip(lines, found, strict=True) if not _is_after(row, after_step)]
        if len(kept) < len(lines):
            write_atomic(self.path, b"".join(kept))
        self._open()
        return len(lines) - len(kept)

    def close(self) -> None:
        """Put everything on the disk and close the file. A second call does nothing."""
        if self._file.closed:
            return
        with self._file:
            self.sync()
        sync(self.path.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows in the ledger at ``path``, in order; a last line that a kill left unfinished is not one.

    Raises ValueError, with the line, when the file holds anything else that is not a row, and OSError when it cannot be
    read. The file may be in use by a run.
    """
    *whole, tail = path.read_bytes().split(b"\n")
    found = []
    for number, line in enumerate(whole, start=1):
        row = _row(line)
        if row is None:
            raise ValueError(
                f"{path}:{number}: every line must be one JSON object; move the file away or mend the line"
            )
        found.append(row)
    unfinished = _row(tail)
    return found if unfinished is None else [*found, unfinished]


class Recorder:
    """The one path for every row: ``ledger`` first, then ``tracker``.

    What goes wrong with the ledger is raised, because then the run's own record is not whole. What goes wrong with the
    tracker is told once as a warning, and the run goes on without it. As a context manager it is finished whatever
    happens inside: with exit code 1 when an exception leaves it.
    """

    def __init__(self, ledger: Ledger, tracker: Tracker) -> None:
        self.ledger = ledger
        self._tracker = tracker
        self._tracking_failed = False
        self._finished = False

    def record(self, row: Mapping[str, Any]) -> None:
        """Append ``row`` to the ledger and show it to the tracker."""
        self.ledger.record(row)
        self._attempt(lambda: self._tracker.record(row))

    def sync(self) -> None:
        """Have every row so far outlive a power cut: evaluations do, before anything is built on them."""
        self.ledger.sync()

    def show(self, draw: Draw, step: int) -> None:
        """Show the tracker the pictures that ``draw`` makes of what was trained until ``step``; they are no record."""
        self._attempt(lambda: self._tracker.show(draw, step))

    def finish(self, summary: Mapping[str, Any] | None = None, exit_code: int = 0) -> None:
        """Close the ledger, which puts it on the disk, then give the tracker its ``summary`` and let it go.

        Whoever writes a result between the two closes ``self.ledger`` before that. A second call does nothing.
        """
        if self._finished:
            return
        self._finished = True
        try:
            self.ledger.close()
        finally:
            self._attempt(lambda: self._tracker.summary(summary or {}))
            self._attempt(lambda: self._tracker.finish(exit_code), even_after_failure=True)

    def _attempt(self, act: Callable[[], None], even_after_failure: bool = False) -> None:
        if self._tracking_failed and not even_after_failure:
            return
        try:
            act()
        except Exception as error:
            if not self._tracking_failed:
                kind, place = type(error).__name__, self.ledger.path
                log.warning("tracking has stopped (%s: %s); every row is in %s", kind, error, place)
            self._tracking_failed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.finish(exit_code=0 if error is None else 1)


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _is_after(row: Mapping[str, Any], step: int) -> bool:
    return row.get("step") is not None and row["step"] > step


def _mend(path: Path) -> None:
    """End the file at ``path`` with a whole line: finish a last line that is a row, cut one that is not."""
    with path.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        tail = content[whole:]
        if tail and _row(tail) is not None:
            file.write(b"\n")
        elif tail:
            file.truncate(whole)
