"""The scale of a training's gradient, before anything has moved: the unit of an eps that is relative to it.

Shapes: L rows of a table, D columns, R rows touched in a batch.
"""

from __future__ import annotations

import itertools
import math

import torch

from spadam.config import RunConfig
from spadam.data import Batches
from spadam.kernels.arithmetic import arithmetic
from spadam.spec import InputError
from spadam.tasks.task import build_task

BATCHES = 20
"""So many first batches are looked at. What is left of chance is the weights': other seeds gave scales that differ by a
sixth (Fashion-MNIST, 1000 latents) to a third (digits, 256), which is little beside the decades that eps is searched
over."""


def gradient_rms(config: RunConfig) -> float:
    """Root mean square of the loss gradient over the elements of touched rows of the tables.

    It is taken over the first :data:`BATCHES` batches of a training with this seed, on the CPU, all of them at the
    weights that it starts with. Nothing is updated in between: an update would make the scale depend on optimizer, lr
    and eps, and it must be one number for all that are compared in units of it. For the same reason clipping is left
    out. The same configuration gives the same bits.

    Raises :class:`InputError` when data is missing, or when the gradient is no scale, being 0 or not finite.
    """
    from spadam.training.module import TaskModule  # here, because Lightning takes seconds to import

    dataset = config.data.load()
    with arithmetic(config.trainer.threads):
        task = build_task(config.model_copy(update={"probe": None}), dataset)
        module = TaskModule(task, config.optimizer).train()
        batches = Batches.of(config.data, dataset, config.seed)
        epochs = itertools.chain.from_iterable(itertools.repeat(batches))  # each pass is the next epoch
        squares, elements = 0.0, 0
        for number, batch in enumerate(itertools.islice(epochs, BATCHES)):
            step = module.training_step(batch, number)
            step["loss"].backward()
            task.before_update()
            for name, table in task.tables.items():
                grad_RD = _dense(table).index_select(0, step["touched"][name].rows_R)
                squares += float(grad_RD.double().square().sum())
                elements += grad_RD.numel()
            module.zero_grad()
    rms = math.sqrt(squares / max(1, elements))  # a rule may select nothing
    if not (math.isfinite(rms) and rms > 0):
        rule = f"it is in units of the gradient at the first weights, which is {rms:g} and gives none"
        raise InputError("space.optimizer.eps_rel", None, rule, "search optimizer.eps instead")
    return rms


def _dense(table: torch.nn.Parameter) -> torch.Tensor:
    """The gradient of ``table``, (L, D)."""
    assert table.grad is not None
    return table.grad.to_dense() if table.grad.is_sparse else table.grad
