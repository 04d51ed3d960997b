"""On what faults are tried."""

from __future__ import annotations

from typing import Literal

from support.chaos.ride import Crew

Where = Literal["file", "server"]

WHERE: list[Where] = ["file", "server"]
"""Where a sweep is stored: `server` is PostgreSQL, for which `sweep run` must take `--storage`."""


def ground(seed: int) -> tuple[Crew, Where]:
    """Who trains, and where it is stored: in turn; one time in five a cluster trains, which takes long to begin."""
    return "ray" if seed % 5 == 4 else "local", WHERE[seed % 2]
