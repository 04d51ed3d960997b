"""Several tests at once: Holm's step-down, which holds the chance of one false result among all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Step(NamedTuple):
    """What a test of several may rely on."""

    alpha: float
    """The level that it is held against; an interval beside it has 1 - this."""
    passes: bool
    """Whether its p-value is below that, and so were all smaller ones below theirs."""


def holm(ps: Sequence[float], alpha: float) -> list[Step]:
    """The levels of tests with the p-values ``ps``, in their order, that together err with a chance of ``alpha``.

    The smallest is held against alpha / m, the next against alpha / (m - 1), and so on until one does not pass; then
    no further one does (Holm 1979).

    >>> [step.passes for step in holm([0.01, 0.04, 0.03], 0.05)]
    [True, False, False]
    """
    steps, passes = [Step(alpha, False)] * len(ps), True
    for place, number in enumerate(sorted(range(len(ps)), key=lambda number: ps[number])):
        level = alpha / (len(ps) - place)
        passes = passes and ps[number] < level
        steps[number] = Step(level, passes)
    return steps
