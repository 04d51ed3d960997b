"""A training that takes no time, of which lr and eps, and what else moves its error, are known; and a design of it."""

import math
import random
from collections.abc import Callable
from typing import Any

from spadam.sweep.running.task import Task
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support.sweep_quadratic import CENTRES, finish

START = 40.0
"""What :func:`support.sweep_quadratic.finish` says of every training before its first step."""

SEARCH = {"sampler": "grid", "studies": 3}
LINE: dict[str, Any] = {
    "search": SEARCH,
    "repeat": {"seeds": 0},
    "space": {"optimizer.lr": {"low": 1e-5, "high": 1e-1, "log": True, "points": 9}},
}
"""Keys of a sweep's file that make it a design over lr."""

PLANE: dict[str, Any] = {
    **LINE,
    "space": {
        "optimizer.lr": {"low": 1e-5, "high": 1e-1, "log": True, "points": 5},
        "optimizer.eps": {"low": 1e-10, "high": 1e-6, "log": True, "points": 3},
    },
}
"""The same over lr and eps."""


def logarithm(variant: str, seed: int, lr: float, eps: float) -> float:
    """Of the error. eps does something above 3e-8 only; a seed lifts everything by itself."""
    noise = random.Random(f"{variant} {seed} {math.log10(lr):.3f} {math.log10(eps):.3f}").gauss(0, 0.01)
    valley = 0.3 * (math.log10(lr) - CENTRES.get(variant, -3.0)) ** 2
    return valley - 1.5 + 0.5 * max(0.0, math.log10(eps) + 7.5) + 0.1 * seed + noise


def diverges(task: Task) -> bool:
    """adam with the largest lr, and with one seed a little below."""
    lr, seed = task.config.optimizer.lr, task.slot.seed
    return task.slot.variant == "adam" and (lr > 0.09 or (lr > 0.02 and seed == 1))


def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    optimizer = task.config.optimizer
    if diverges(task):
        return finish(task, None, "diverged")
    return finish(task, math.exp(logarithm(task.slot.variant, task.slot.seed, optimizer.lr, optimizer.eps)))
