"""What this process may use of its machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def cores() -> int:
    """How many cores' time this process may use: those that it may run on, or fewer if its container says so.

    A quota is rounded down, for a worker with half a core would keep the others waiting; the least is 1.
    """
    allowed = quota()
    return runnable() if allowed is None else max(1, min(runnable(), int(allowed)))


def quota(root: Path = Path("/")) -> float | None:
    """How many cores' time the control groups of this process allow it, the least of them; None where none says so.

    A container asked for a share (``docker run --cpus``, a Kubernetes limit) sees every core of its machine all the
    same. Groups lie in one another and a limit binds all inside, so ancestors are asked too. Of a group that cannot be
    seen from inside a container, the container's own root stands in the same place. ``root`` is where the system lies.
    """
    return min(_quotas(root), default=None)


def runnable() -> int:
    """How many cores the system runs this process on, whatever their time; macOS does not say, there it is all."""
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory(root: Path = Path("/")) -> int:
    """How many bytes of memory this process may use: what the machine has, or less if its container says so."""
    limit = _read(root / "sys" / "fs" / "cgroup" / "memory.max").strip()
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(there, int(limit)) if limit.isdecimal() else there


def _quotas(root: Path) -> Iterator[float]:
    mounts = root / "sys" / "fs" / "cgroup"
    for line in _read(root / "proc" / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        group = PurePosixPath(path.lstrip("/"))
        for part in (group, *group.parents):
            if not controllers:  # version 2: everything in one tree
                limit = _read(mounts / part / "cpu.max").split()
            elif "cpu" in controllers.split(","):  # version 1: a tree for each set of controllers
                folder = mounts / controllers / part
                limit = [_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
            else:
                continue
            # Microseconds of work in a period, and the period; `max`, or -1, is no limit.
            if len(limit) == 2 and all(number.isdecimal() for number in limit) and int(limit[1]) > 0:
                yield int(limit[0]) / int(limit[1])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
