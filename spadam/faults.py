"""Faults on order: a process that kills itself at a named point, so that a test sees what is lost by it.

The variable `SPADAM_DIE_AT` holds one of :data:`POINTS`, as in

    SPADAM_DIE_AT="agent: result kept"

and whoever reaches that point is gone at once, as by `kill -9`: nothing is flushed, closed or told. Two words may stand
behind it: `#3` lets a process come there twice before, and `@FILE` lets only the first one die that comes there, which
leaves FILE behind; a retry then gets through. Without the variable a point costs a look at a dictionary.
"""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from typing import Literal, get_args

from spadam.spec import InputError

DIE_AT = "SPADAM_DIE_AT"

Point = Literal[
    "agent: sweep half created",
    "agent: mid-extension",
    "agent: parameters half written",
    "agent: attempt created",
    "agent: handed over",
    "agent: result heard",
    "agent: result kept",
    "agent: told",
    "agent: before the table",
    "worker: mid-epoch",
    "worker: mid-checkpoint",
    "worker: checkpoint published",
    "worker: ledger synced",
    "worker: before the result",
    "worker: result written",
]
"""Where the agent of a sweep and those who train may be killed, in the order in which they come there."""

POINTS: tuple[Point, ...] = get_args(Point)

_ORDER = re.compile(r"(?P<point>[^#@]+?)\s*(?:#(?P<times>\d+))?\s*(?:@(?P<file>.+))?")

_reached: Counter[Point] = Counter()


def reach(point: Point) -> None:
    """Say that this process has come to ``point``; it ends here when that was ordered.

    Raises :class:`InputError` when what was ordered is no point.
    """
    if DIE_AT in os.environ and (order := _order(point)) is not None:
        _reached[point] += 1
        if _reached[point] >= int(order["times"] or 1) and _is_first(order["file"]):
            os.kill(os.getpid(), signal.SIGKILL)


def is_ordered(point: Point) -> bool:
    """Whether somebody is to die at ``point``."""
    return DIE_AT in os.environ and _order(point) is not None


def _order(point: Point) -> re.Match[str] | None:
    """What was ordered, if it is to die at ``point``."""
    match = _ORDER.fullmatch(order := os.environ[DIE_AT])
    if match is None or match["point"] not in POINTS:
        raise InputError(DIE_AT, order, "it must name a point", f"choose from: {'; '.join(POINTS)}")
    return match if match["point"] == point else None


def _is_first(file: str | None) -> bool:
    """Whether nobody was here before, as far as ``file`` is to tell."""
    if file is None:
        return True
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
