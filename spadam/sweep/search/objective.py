"""How trials are ranked: what a study is told of each, whatever came of it. Here alone it is defined.

A *cost* is to be small: the objective, or minus it where large is good. A trial outside the bands of `objective.at` has
no cost of its own, but one that is larger than any inside, and grows with its *distance*: the sum, over the bands, of
how much is missing to the nearest bound over the larger of the two bounds. Of a front every metric has a cost, and
outside the bands all are alike, so that whatever lies outside is beaten by all inside, and by all that are nearer.

What a study is *told* is a cost in the study's direction. It is always finite.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from spadam.sweep.definition.objective import Direction, ObjectiveSpec
from spadam.sweep.definition.spec import Variant
from spadam.text import number
from spadam.training.curve import Curve
from spadam.training.result import RunResult

Costs: TypeAlias = tuple[float, ...]
"""One for each metric that is compared."""

Told: TypeAlias = float | tuple[float, ...]
"""A number, or of a front one for each metric."""

Directions: TypeAlias = Direction | Sequence[Direction]
"""Of the objective, or of each metric of a front."""

UNMEASURED = 1e30
"""Told for a training whose objective was never a finite number (its negative when large is good): a rank, no value."""

OUTSIDE = 1e20
"""The cost of what lies outside a band is this times 1 + distance, which keeps small distances apart."""

DISTANCE = "objective/outside"
"""What the distance is called where runs are looked at one by one."""

_FURTHEST = 1e9
"""What is further than this is not told apart: it is still less than what was never measured."""

_WORST_INSIDE = OUTSIDE / 10
"""No cost inside is told as more, where there are bands."""


class Judge(NamedTuple):
    """Ranks by an objective; plain enough to be handed to another process."""

    signs: tuple[tuple[str, int], ...]
    """Every metric that is compared; 1 where small is good, else -1."""
    bands: tuple[tuple[str, float, float], ...] = ()

    def row(self, row: Mapping[str, Any]) -> dict[str, float]:
        """Of a row that has costs the metrics that it is judged by."""
        asked = (*(name for name, _ in self.signs), *(name for name, _, _ in self.bands))
        return {name: float(row[name]) for name in asked}

    def told_of(self, row: Mapping[str, Any]) -> float | None:
        """What is told of a row of metrics, for an objective of one metric; None where it was not measured."""
        costs = self.costs(row)
        return None if costs is None else self.signs[0][1] * costs[0]

    def distance(self, row: Mapping[str, Any]) -> float | None:
        """How far ``row`` lies outside the bands, 0 within them; None where a metric of theirs has no finite value."""
        total = 0.0
        for name, low, high in self.bands:
            if (value := _finite(row.get(name))) is None:
                return None
            total += max(low - value, value - high, 0.0) / (max(abs(low), abs(high)) or 1.0)
        return total

    def outside(self, row: Mapping[str, Any]) -> list[str]:
        """The metrics whose bands ``row`` does not lie in, each with its value, in words."""
        found = [(name, _finite(row.get(name)), low, high) for name, low, high in self.bands]
        return [
            f"{name} {number(value)}" for name, value, low, high in found if value is None or not low <= value <= high
        ]

    def costs(self, row: Mapping[str, Any]) -> Costs | None:
        """The costs of a row of metrics; None where one of those that it is judged by has no finite value."""
        values = [_finite(row.get(name)) for name, _ in self.signs]
        distance = self.distance(row)
        if distance is None or any(value is None for value in values):
            return None
        if distance > 0:
            return (OUTSIDE * (1 + min(distance, _FURTHEST)),) * len(self.signs)
        costs = (sign * value for (_, sign), value in zip(self.signs, values, strict=True) if value is not None)
        return tuple(min(cost, _WORST_INSIDE) for cost in costs) if self.bands else tuple(costs)

    def values(self, row: Mapping[str, Any]) -> tuple[float, ...] | None:
        """The metrics that are compared, of a row within the bands; None for any other."""
        if self.costs(row) is None or self.distance(row):
            return None
        return tuple(float(row[name]) for name, _ in self.signs)

    def best(self, values: Sequence[float]) -> float | None:
        """The best of ``values`` of the one metric that is compared; None where there are none."""
        return min(values, key=lambda value: self.signs[0][1] * value, default=None)

    def told(self, costs: Costs) -> Told:
        """``costs`` in the study's directions, as a study is told them."""
        values = tuple(sign * cost for (_, sign), cost in zip(self.signs, costs, strict=True))
        return values[0] if len(values) == 1 else values

    def rank(self, told: Told) -> Costs:
        """The costs that were ``told``."""
        return tuple(sign * value for (_, sign), value in zip(self.signs, listed(told), strict=True))

    def curve(self, evaluations: Iterable[Mapping[str, Any]]) -> Curve:
        """What each evaluation of a training tells; nothing of a front, which has no single number."""
        return tuple(map(self.told_of, evaluations)) if len(self.signs) == 1 else ()


def judge(objective: ObjectiveSpec) -> Judge:
    """Who ranks by ``objective``."""
    signs = tuple((name, 1 if way == "minimize" else -1) for name, way in objective.goals.items())
    return Judge(signs, tuple((name, low, high) for name, (low, high) in objective.at.items()))


def objective_of(result: RunResult, objective: ObjectiveSpec) -> Told:
    """What the study is told: the objective, or for a diverged training the worst that was seen, metric by metric.

    Step 0 is among what was seen, so a training that got better before it diverged gains nothing by it. Of a training
    that was cut short it is the last that was seen.
    """
    ours = judge(objective)
    costs = ours.costs(result.metrics) if result.status == "complete" else None
    if costs is None:
        seen = [found for row in result.evaluations if (found := ours.costs(row)) is not None]
        worst = tuple(map(max, zip(*seen, strict=True))) if seen else (UNMEASURED,) * len(ours.signs)
        costs = seen[-1] if result.status == "pruned" and seen else worst
    return ours.told(costs)


def spoken(ours: Judge, result: RunResult) -> tuple[str, float | None]:
    """How a training ended, in a word or more, and what it has of the one metric that is compared, if it counts."""
    if result.status != "complete" or ours.costs(result.metrics) is None:
        return result.status, None
    values = ours.values(result.metrics)
    if values is None:
        return f"outside its bands ({', '.join(ours.outside(result.metrics))})", None
    if len(values) > 1:
        return ", ".join(f"{name} {number(value)}" for (name, _), value in zip(ours.signs, values, strict=True)), None
    return result.status, values[0]


def listed(told: Told) -> Costs:
    """What is told, number by number."""
    return told if isinstance(told, tuple) else (told,)


def ways(directions: Directions) -> tuple[Direction, ...]:
    """Which way each metric is good."""
    if directions == "minimize" or directions == "maximize":
        return (directions,)
    return tuple(directions)


def without_objective(name: str, variant: Variant, objective: ObjectiveSpec, trials: int) -> str:
    """What to say where so many ``trials`` of a variant have ended whole, and none has had the ``objective``.

    A trial that diverged or was cut short says nothing of it, and one that had it shows that it can be had.
    """
    metrics = variant.corners[0].task.metrics
    asked = [metrics[metric] for metric in objective.asked]
    reasons = [f"it is so when {one.undefined}" if one.undefined else one.formula.rstrip(".") for one in asked]
    which, they = ("the first trial", "it did") if trials == 1 else (f"all {trials} trials so far", "they did")
    null = f"the objective {' and '.join(objective.asked)} came out as null in {which} of {name}"
    return (
        f"{null}, though {they} not diverge ({'; '.join(reasons)}). What is compared cannot change in a sweep that has "
        "begun: with other data or another objective, give it another `name`. After any other mend the same command "
        "goes on."
    )


def _finite(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
