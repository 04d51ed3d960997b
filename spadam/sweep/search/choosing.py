"""The setting of a study: of its best trials the one whose mean over fresh seeds is best.

The best of many trials was lucky, too. A *candidate* is one of the trials that rank first, with parameters that no
other candidate has; a *choosing training* trains its parameters again with a fresh seed. Candidates are judged as
trials are, by the means of the metrics that their choosing trainings had.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import NamedTuple, TypeAlias

from spadam.sweep.search.objective import Costs, Judge
from spadam.training.result import RunResult

Row: TypeAlias = Mapping[str, float]
"""The metrics that a training is judged by, as finite numbers."""


class Candidate(NamedTuple):
    """A trial, as it is ranked; ``point`` is the hash of its parameters."""

    costs: Costs
    number: int
    point: str


class Top:
    """The candidates so far, at most so ``many``, the best first; adding to them takes no longer for many trials."""

    def __init__(self, many: int) -> None:
        self.members: list[Candidate] = []
        self._many = many

    def add(self, new: Candidate) -> None:
        """A trial more: of equal parameters the better trial stays, of equal trials the first."""
        same = next((old for old in self.members if old.point == new.point), None)
        if same is not None and same < new:
            return
        if same is not None:
            self.members.remove(same)
        insort(self.members, new)
        del self.members[self._many :]


class Chosen(NamedTuple):
    """The candidate whose mean is best."""

    point: str
    costs: Costs
    """How many of its choosing trainings never had the objective, then the costs of the means of the others."""


def measured(ours: Judge, result: RunResult) -> Row | None:
    """What a choosing training counts with: its metrics, or of one that diverged the worst that was seen.

    Step 0 is among what was seen, as it is for :func:`~spadam.sweep.search.objective.objective_of`. None where nothing
    that it is judged by was ever a finite number.
    """
    row = result.metrics if result.status == "complete" and ours.costs(result.metrics) is not None else None
    if row is None:
        seen = [(costs, one) for one in result.evaluations if (costs := ours.costs(one)) is not None]
        row = max(seen, key=lambda pair: pair[0])[1] if seen else None
    return None if row is None else ours.row(row)


def choose(ours: Judge, numbers: Mapping[str, int], rows: Mapping[str, Sequence[Row | None]]) -> Chosen | None:
    """The candidate whose mean over its choosing trainings is best, of equal ones the earlier trial.

    ``numbers`` are those of the candidates' trials, and ``rows`` what their choosing trainings have counted with, both
    by point. While some are still to come those candidates are compared that have most; None while none has any.
    """
    most = max((len(rows.get(point, ())) for point in numbers), default=0)
    compared = [point for point in numbers if most and len(rows.get(point, ())) == most]
    found = [(mean_costs(ours, rows[point]), numbers[point], point) for point in compared]
    if not found:
        return None
    costs, _, point = min(found)
    return Chosen(point, costs)


def mean_costs(ours: Judge, rows: Sequence[Row | None]) -> Costs:
    """What a candidate is ranked by that has ``rows``, in whatever order: see :class:`Chosen`."""
    known = [row for row in rows if row is not None]
    missing = float(len(rows) - len(known))
    if not known:
        return (missing,)
    costs = ours.costs({name: mean(row[name] for row in known) for name in known[0]})  # exact, so no order matters
    assert costs is not None, "a mean of finite numbers is finite"
    return (missing, *costs)
