"""How the lr changes over a run: a factor for every step, linear warm-up first."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from spadam.spec import Spec


class ScheduleSpec(Spec):
    """What multiplies the lr, step by step."""

    name: Literal["constant", "cosine", "linear"] = "constant"
    """After the warm-up: constant, half a cosine down to 0, or a line down to 0."""
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """The factor rises in a line over so many steps and is 1 in the last of them."""


def factor(schedule: ScheduleSpec, step: int, total_steps: int) -> float:
    """What multiplies the lr in ``step`` (the first is 0) of a run of ``total_steps``.

    With warm-up w it is (step+1)/w in the first w steps. After that, with p = (step-w)/(total_steps-w): 1 (constant),
    (1+cos πp)/2 (cosine) or 1-p (linear); from ``total_steps`` on the last two are 0.
    """
    warmup = schedule.warmup_steps
    if step < warmup:
        return (step + 1) / warmup
    if schedule.name == "constant":
        return 1.0
    done = 1.0 if step >= total_steps else (step - warmup) / (total_steps - warmup)
    return (1 + math.cos(math.pi * done)) / 2 if schedule.name == "cosine" else 1 - done
