"""What a study is told of a training: one finite number, whatever came of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spadam.sweep.definition.spec import ObjectiveSpec, Variant
from spadam.training.curve import curve
from spadam.training.result import RunResult

UNMEASURED = 1e30
"""Told for a training whose objective was never a finite number (its negative when large is good): a rank, no value."""


def objective_of(result: RunResult, objective: ObjectiveSpec) -> float:
    """The finite number that the study is told: the objective, or for a diverged training the worst that was seen.

    Step 0 is among what was seen, so a training that got better before it diverged gains nothing by it. Of a training
    that was cut short it is the last that was seen.
    """
    value = result.metrics.get(objective.metric)
    if result.status == "complete" and value is not None and math.isfinite(value):
        return value
    seen = [value for value in curve(result.evaluations, objective.metric) if value is not None]
    return seen[-1] if result.status == "pruned" and seen else _worst(seen, objective.direction)


def without_objective(name: str, variant: Variant, metric: str, trials: int) -> str:
    """What to say where so many ``trials`` of a variant have ended whole, and none has had the objective ``metric``.

    A trial that diverged or was cut short says nothing of it, and one that had it shows that it can be had.
    """
    known = variant.corners[0].task.metrics[metric]
    when = f" (it is so when {known.undefined})" if known.undefined else f" ({known.formula.rstrip('.')})"
    which, they = ("the first trial", "it did") if trials == 1 else (f"all {trials} trials so far", "they did")
    return (
        f"the objective {metric} came out as null in {which} of {name}, though {they} not diverge{when}. "
        "What is compared cannot change in a sweep that has begun: with other data or another objective, give it "
        "another `name`. After any other mend the same command goes on."
    )


def _worst(finite: Sequence[float], direction: str) -> float:
    if direction == "minimize":
        return max(finite, default=UNMEASURED)
    return min(finite, default=-UNMEASURED)
