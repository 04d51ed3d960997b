"""Processes as Linux shows them: whom there is to kill."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import defaultdict
from pathlib import Path

SERVER = "fork-server"
"""How a fork server calls itself that is a fork of another program."""


def descendants(root: int) -> list[int]:
    """All processes below ``root``."""
    children = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                children[int((entry / "stat").read_text().rpartition(")")[2].split()[1])].append(int(entry.name))
    found, ahead = [], [root]
    while ahead:
        mine = children[ahead.pop()]
        found += mine
        ahead += mine
    return found


def workers(root: int) -> list[int]:
    """Those below ``root`` who train: what a fork server has forked, and Ray's actors."""
    return [pid for pid in descendants(root) if _is_worker(pid)]


def servers(root: int) -> list[int]:
    """The fork servers below ``root``."""
    return [pid for pid in descendants(root) if _is_server(pid) and not _is_server(_parent(pid))]


def name_of(pid: int) -> str:
    """How a process calls itself; nothing when it has gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def kill(pid: int, number: int = signal.SIGKILL) -> bool:
    """Send a signal; whether there was somebody."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _is_worker(pid: int) -> bool:
    words = _words(pid)
    return (words.startswith("ray::") and not words.startswith("ray::IDLE")) or _is_server(_parent(pid))


def _is_server(pid: int) -> bool:
    return "multiprocessing.forkserver" in _words(pid) or name_of(pid) == SERVER


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
