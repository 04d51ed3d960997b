"""How two things are compared: within one process, in turns, by their medians.

In turns, because what else the machine does changes from second to second and then meets both alike.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

Side = Callable[[], object]
"""One side of a comparison: what a call of it takes is what is compared."""


class Effort(NamedTuple):
    """How often a pair is repeated."""

    least: int
    """Pairs, at least."""
    slow: int
    """Pairs, at least, when one takes longer than ``SLOW`` seconds."""
    most: int
    """Pairs, at most."""
    seconds: float
    """Beyond the least, pairs are repeated for so long."""
    warmup: int
    """Calls of each side before anything is timed."""
    quick: bool = False
    """Small sizes only, and figures that say so."""


SLOW = 1.0

FULL = Effort(least=20, slow=5, most=400, seconds=4.0, warmup=5)
QUICK = Effort(least=5, slow=3, most=40, seconds=0.5, warmup=3, quick=True)


class Comparison(NamedTuple):
    """Median seconds of both sides."""

    of: float
    over: float
    spread: tuple[float, float]
    """The middle half of the ratios of single pairs."""
    pairs: int

    @property
    def ratio(self) -> float:
        """The first side's median over the second's."""
        return self.of / self.over


def alternate(of: Side, over: Side, effort: Effort, clock: Callable[[], float] = time.perf_counter) -> Comparison:
    """Time ``of`` and ``over`` in turns; ``clock`` gives seconds."""
    for _ in range(effort.warmup):
        of()
        over()
    pairs: list[tuple[float, float]] = []
    began = clock()
    while not _enough(pairs, clock() - began, effort):
        pairs.append((timed(of, clock), timed(over, clock)))
    return compare(pairs)


def compare(pairs: list[tuple[float, float]]) -> Comparison:
    """The comparison that ``pairs`` of seconds amount to; at least one."""
    ofs, overs = zip(*pairs, strict=True)
    ratios = [of / over for of, over in pairs]
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return Comparison(statistics.median(ofs), statistics.median(overs), (low, high), len(pairs))


def in_turns(sides: Mapping[str, Side], turns: int, warmup: int = 3) -> dict[str, float]:
    """Median seconds of each of ``sides``, which take turns; the first ``warmup`` turns do not count."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(warmup + turns):
        for name, side in sides.items():
            seconds = timed(side)
            if turn >= warmup:
                taken[name].append(seconds)
    return {name: statistics.median(values) for name, values in taken.items()}


def timed(act: Side, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of one call."""
    start = clock()
    act()
    return clock() - start


def _enough(pairs: list[tuple[float, float]], seconds: float, effort: Effort) -> bool:
    if len(pairs) >= effort.most:
        return True
    slow = bool(pairs) and sum(pairs[0]) > SLOW
    return len(pairs) >= (effort.slow if slow else effort.least) and seconds >= effort.seconds
