"""On what faults are tried: one line to change when there is more to try them on."""

from __future__ import annotations

from typing import Literal

from support.chaos.ride import Crew

Where = Literal["file", "server"]

WHERE: list[Where] = ["file", "server"]
"""Where a sweep is stored: `server` is PostgreSQL, for which `sweep run` must take `--storage`."""

CREWS: list[Crew] = ["local", "ray"]
"""Who trains."""

GROUNDS = [(crew, where) for crew in CREWS for where in WHERE]
