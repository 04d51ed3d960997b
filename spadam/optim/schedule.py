"""How the lr changes over a run: a factor for every step, linear warm-up first."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from spadam.spec import InputError, Spec

_TAIL = 5
"""By default a `decay` takes the last 1/5 of a run, as SAE trainers have it (SAELens)."""


class ScheduleSpec(Spec):
    """What multiplies the lr, step by step."""

    name: Literal["constant", "cosine", "linear", "decay"] = "constant"
    """After the warm-up: constant, half a cosine down to 0, a line down to 0, or constant and then a line down to 0."""
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """The factor rises in a line over so many steps and is 1 in the last of them."""
    decay_steps: Annotated[int, Field(gt=0)] | None = Field(None, exclude_if=lambda steps: steps is None)
    """The line of `decay` falls over the last so many steps; by default over the last fifth of the run. With a
    `constant` schedule it makes a `decay` of it."""

    @property
    def needs_length(self) -> bool:
        """It must be known how long the run is."""
        return self.name != "constant" or self.decay_steps is not None

    @model_validator(mode="after")
    def _check(self) -> ScheduleSpec:
        if self.decay_steps is not None and self.name in ("cosine", "linear"):
            rule = f"a {self.name} schedule falls to 0 over the whole run"
            raise InputError("optimizer.schedule.decay_steps", self.decay_steps, rule, "remove it, or use name: decay")
        return self


def factor(schedule: ScheduleSpec, step: int, total_steps: int) -> float:
    """What multiplies the lr in ``step`` (the first is 0) of a run of ``total_steps``.

    With warm-up w it is (step+1)/w in the first w steps. After that, with p = (step-w)/(total_steps-w): 1 (constant),
    (1+cos πp)/2 (cosine) or 1-p (linear); `decay` over d steps: min(1, (total_steps-step)/d), d being no more than is
    left after the warm-up. From ``total_steps`` on it is 0, unless it is constant.
    """
    warmup = schedule.warmup_steps
    if step < warmup:
        return (step + 1) / warmup
    if not schedule.needs_length:
        return 1.0
    if schedule.name in ("constant", "decay"):
        tail = max(1, total_steps // _TAIL) if schedule.decay_steps is None else schedule.decay_steps
        return min(1.0, max(0, total_steps - step) / max(1, min(tail, total_steps - warmup)))
    done = 1.0 if step >= total_steps else (step - warmup) / (total_steps - warmup)
    return (1 + math.cos(math.pi * done)) / 2 if schedule.name == "cosine" else 1 - done
