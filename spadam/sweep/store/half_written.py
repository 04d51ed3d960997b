"""Dying in the middle of a transaction, see :mod:`spadam.faults`: what a test wants of an engine, and nobody else."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event

from spadam.faults import is_ordered, reach


def die_half_written(engine: Engine) -> None:
    """Have ``engine`` come to a point behind every parameter that it writes, before anything of it is committed."""
    if is_ordered("agent: parameters half written"):
        event.listen(engine, "after_cursor_execute", _written)


def _written(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
    if statement.startswith("INSERT INTO trial_params"):
        reach("agent: parameters half written")
