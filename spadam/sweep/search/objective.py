"""What a study is told of a training: one finite number, whatever came of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spadam.sweep.definition.spec import ObjectiveSpec
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


def _worst(finite: Sequence[float], direction: str) -> float:
    if direction == "minimize":
        return max(finite, default=UNMEASURED)
    return min(finite, default=-UNMEASURED)
