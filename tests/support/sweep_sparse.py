"""A training that takes no time, in which the error falls as the code gets denser: what relu and L1 do.

L0 falls with lr, from 512 at 1e-5 to about 0 at 1e-1; the error falls with L0, and has its bowl over eps beside it.
"""

import math
from collections.abc import Callable

from spadam.sweep.running.task import Task
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support.sweep_quadratic import finish

L0 = "sparsity/l0_eval"
BASE = {"model": {"latents": 600, "rule": {"name": "relu"}}}
"""What such a sweep has in its base beside what every one has."""


def density(task: Task) -> float:
    """L0: 512 / 4^decades above 1e-5."""
    return 512 / 4 ** (math.log10(task.config.optimizer.lr) + 5) * (1 + 1e-3 * (task.slot.seed % 7))


def error(task: Task) -> float:
    return 1 / (1 + density(task)) + 0.01 * (math.log10(task.config.optimizer.eps) + 5) ** 2


def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    return finish(task, error(task), **{L0: density(task), "sparsity/dead": 0.25})
