"""What a case of the benchmark is, and what comes of it.

A *case* is one ratio with a bar. Measuring it gives a *measured* ratio; running it gives a *row*, which also says
whether the bar holds, or why nothing was measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from spadam.bench.timing import FULL, Comparison, Effort

Direction = Literal["at most", "at least"]

SIGNS: dict[Direction, str] = {"at most": "≤", "at least": "≥"}


class NotRun(Exception):
    """A case cannot be measured here; the text says why, and what to do about it."""


class Settings(NamedTuple):
    """What all cases of one run share."""

    effort: Effort = FULL
    """How often a pair is repeated, and whether this is the quick run."""
    threads: int = 2
    """Threads of torch and of the compiled loops, on both sides of every ratio that does not say otherwise."""
    fashion: Path = Path("data")
    """Folder with the four files of Fashion-MNIST."""


class Measured(NamedTuple):
    """A ratio, and where it comes from."""

    ratio: float
    of: float
    """The numerator, in ``unit``: a median where it was measured several times."""
    over: float
    """The denominator, in ``unit``."""
    unit: str = "ms"
    spread: tuple[float, float] | None = None
    """The middle half of the ratios of single pairs."""
    repetitions: int = 1
    """Pairs measured."""
    note: str = ""
    """What a reader should know of this measurement."""


@dataclass(frozen=True)
class Case:
    """One ratio that must be at most, or at least, its bar."""

    name: str
    bar: float
    direction: Direction
    says: str
    """What is divided by what, in one sentence."""
    measure: Callable[[Settings], Measured]
    """Raises :class:`NotRun` where it cannot be measured."""
    seconds: float
    """About how long the whole measurement takes, for the time left."""
    quick: bool = False
    """Part of a quick run."""

    def holds(self, ratio: float) -> bool:
        """Whether the bar holds."""
        return ratio <= self.bar if self.direction == "at most" else ratio >= self.bar


class Row(NamedTuple):
    """A case that was run; ``measured`` is None where nothing was measured, and ``why`` says why."""

    case: Case
    measured: Measured | None
    why: str = ""
    failed: bool = False
    """Measuring broke down, or the two sides did not agree: the work failed."""

    @property
    def holds(self) -> bool | None:
        """Whether the bar holds; None when nothing was measured."""
        return None if self.measured is None else self.case.holds(self.measured.ratio)

    def plain(self, settings: Settings, machine: str) -> dict[str, Any]:
        """The row as ``--json`` writes it."""
        case, measured = self.case, self.measured
        row: dict[str, Any] = {
            "case": case.name,
            "ratio": measured.ratio if measured else None,
            "bar": case.bar,
            "holds": self.holds,
            "direction": case.direction,
            "says": case.says,
        }
        row |= {"why": self.why} if measured is None else measured._asdict()
        return row | {"quick": settings.effort.quick, "threads": settings.threads, "machine": machine}


def measured(found: Comparison, note: str = "") -> Measured:
    """An alternating comparison as a measured ratio."""
    of, over = (1e3 * side for side in (found.of, found.over))
    return Measured(found.ratio, of, over, spread=found.spread, repetitions=found.pairs, note=note)


def last_line(text: str) -> str:
    """What a process that broke down said last."""
    return (text.strip().splitlines() or ["it said nothing"])[-1]
