"""Whether a training is cut short: what it is measured against, and the rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

Curve = tuple[float | None, ...]
"""The objective at every evaluation, step 0 first; None where it was missing or not finite."""


def curve(evaluations: Iterable[Mapping[str, Any]], metric: str) -> Curve:
    """The values of ``metric`` in the evaluations of a training."""
    values = (row.get(metric) for row in evaluations)
    return tuple(float(v) if v is not None and math.isfinite(v) else None for v in values)


class Pruning(NamedTuple):
    """What a training must reach to go on."""

    metric: str
    direction: Literal["minimize", "maximize"]
    thresholds: Curve
    """By the number of the evaluation, step 0 first; where there is none nothing is cut."""
    judge: Callable[[Mapping[str, Any]], float | None] | None = None
    """What of an evaluation is compared, where that is more than the metric alone; None of what was not measured."""

    def curve(self, evaluations: Iterable[Mapping[str, Any]]) -> Curve:
        """What is compared, evaluation by evaluation."""
        return curve(evaluations, self.metric) if self.judge is None else tuple(map(self.judge, evaluations))

    def cuts(self, so_far: Curve) -> bool:
        """Whether the training ends at the last evaluation of ``so_far``, its curve until now.

        It does when the best value so far is worse than the threshold there, and when it has had no value yet. What it
        had at step 0 is no merit of its own, and does not count.
        """
        last = len(so_far) - 1
        threshold = self.thresholds[last] if 0 < last < len(self.thresholds) else None
        if threshold is None:
            return False
        sign = 1 if self.direction == "minimize" else -1
        best = min((sign * value for value in so_far[1:] if value is not None), default=math.inf)
        return best > sign * threshold
