"""What a variant brings to a claim."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from spadam.claims.scale import Scale

DIVERGED = math.inf
"""Stands for what a diverged training has of a metric, whichever way it is good."""


class Arm(NamedTuple):
    """A variant's side of a comparison."""

    name: str
    units: Mapping[int, Sequence[float | None]]
    """What its trainings have of the metric, by unit: the seed (of a setting: one training), or the study. None where
    one has no value; :data:`DIVERGED` where it diverged."""
    planned: int = 0
    """So many trainings there should be."""
    starts: tuple[float, ...] = ()
    """What its diverged trainings had at step 0, where that was measured."""
    alone: str | None = None
    """What its trainings are where every step touches every row, as text that equals another's where they are one
    algorithm; None where some step did not."""
    blocked: str = ""
    """Why nothing may be said of it, in words."""

    @property
    def trainings(self) -> int:
        """Its trainings."""
        return sum(map(len, self.units.values()))

    @property
    def diverged(self) -> int:
        """Those that diverged."""
        return sum(value == DIVERGED for unit in self.units.values() for value in unit)

    def finite(self) -> Iterator[float]:
        """The values that there are."""
        yield from (v for unit in self.units.values() for v in unit if v is not None and v != DIVERGED)


def places(arm: Arm, scale: Scale, worst: float | None) -> dict[int, float]:
    """Where each unit of ``arm`` stands on ``scale``: the mean of its trainings.

    A training that diverged stands at ``worst``. A unit in which one has no value, or none that has a place, is left
    out.
    """
    found = {}
    for unit, values in arm.units.items():
        known = [worst if value == DIVERGED else value for value in values]
        where = [scale.place(value) for value in known if value is not None]
        if where and len(where) == len(known) and all(map(math.isfinite, where)):
            found[unit] = math.fsum(where) / len(where)
    return found


def worst_of(arms: Sequence[Arm], larger_is_better: bool) -> float | None:
    """What a diverged training counts as: the worst that any had in the end, or at step 0; None where nothing had any.

    So a variant gains nothing by diverging from where it was bad already.
    """
    known = [value for arm in arms for value in (*arm.finite(), *arm.starts)]
    return (min if larger_is_better else max)(known) if known else None
