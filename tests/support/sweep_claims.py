"""A training that takes no time, of variants that lie as far apart as they are told to."""

import math
import random
from collections.abc import Callable, Mapping

from spadam.sweep.running.task import Task
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support.sweep_quadratic import CENTRES, finish

Train = Callable[[Task, Callable[[Progress], None]], RunResult]


def trainer(factors: Mapping[str, float], spread: float = 0.003, touched: bool = False) -> Train:
    """Trainings whose errors are ``factors`` times a common one, which the seed makes larger or smaller.

    They are the same for all seeds but for noise of ``spread``; ``touched``: every step touches every row.
    """

    def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        seed, variant = task.slot.seed, task.slot.variant
        shared = math.exp(random.Random(seed).gauss(0, 0.1))
        own = math.exp(random.Random(f"{seed} {variant}").gauss(0, spread)) if spread else 1.0
        off = (math.log10(task.config.optimizer.lr) - CENTRES.get(variant, -3.0)) ** 2
        result = finish(task, (0.1 + 0.01 * off) * shared * own * factors.get(variant, 1.0))
        warned = {"code": "all_rows_touched", "text": "every row was touched in every step", "numbers": {}}
        return result._replace(warnings=[warned] if touched else [])

    return train
