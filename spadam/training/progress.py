"""How far a training is."""

from __future__ import annotations

from typing import NamedTuple


class Progress(NamedTuple):
    """Where a training stands. ``total`` and ``loss`` are None where they are not known."""

    step: int
    total: int | None
    loss: float | None
    doing: str


COMPILING = "compiling loops, once per machine"
"""What is being done the first time that a processor trains here."""
