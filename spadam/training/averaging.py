"""What of a training is evaluated and saved: the weights, or an average of them where the optimizer asks for one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spadam.optim import BaseOptimizerSpec, RowOptimizer
from spadam.optim.weight_ema import WeightEma
from spadam.tasks.task import Task


class Averaging(nn.Module):
    """Knows of which average ``spec`` says that it is evaluated, and puts it in the place of the weights of ``task``.

    Its own state, that of `optimizer.ema`, is part of a checkpoint; an average that the optimizer makes is part of the
    optimizer's. Without any average nothing here does anything.
    """

    def __init__(self, task: Task, spec: BaseOptimizerSpec) -> None:
        super().__init__()
        self._task = task
        self._trained = tuple(task.model.parameters())
        self._optimizer: Optimizer | None = None
        self.ema = None if spec.ema is None else WeightEma(self._trained, spec.ema.decay, holds=spec.holds)

    def begin(self) -> None:
        """Begin anew, at the weights as they are; a checkpoint may be loaded after this."""
        if self.ema is not None:
            self.ema.begin()

    def follow(self, optimizer: Optimizer) -> None:
        """Say which ``optimizer`` trains."""
        self._optimizer = optimizer

    def prepare(self) -> None:
        """Note what the coming step changes; called right before it."""
        if self.ema is not None:
            self.ema.prepare()

    def update(self) -> None:
        """Take in what it has changed."""
        if self.ema is not None:
            self.ema.update()

    @contextlib.contextmanager
    def evaluated(self) -> Iterator[None]:
        """Within it the weights are those to be evaluated; afterwards they are to the bit what they were."""
        averages = self._averages()
        kept = [param.detach().clone() for param in self._trained] if averages else []
        self._put(averages)
        if averages:
            self._task.after_update(None)
        try:
            yield
        finally:
            self._put(kept)

    def settle(self) -> None:
        """End the training: the weights to be evaluated take the place of those that it went on from."""
        averages = self._averages()
        self._put(averages)
        if averages:
            self._task.after_update(None)
        self._optimizer = None

    def _averages(self) -> list[Tensor]:
        """What is to be evaluated in the place of each parameter; nothing where that is the parameters themselves."""
        if self._optimizer is None:
            return []
        if self.ema is not None:
            return [self.ema.average(param) for param in self._trained]
        if not isinstance(self._optimizer, RowOptimizer):
            return []
        found = [self._optimizer.average(param) for param in self._trained]
        return [average for average in found if average is not None]

    @torch.no_grad()
    def _put(self, weights: list[Tensor]) -> None:
        for param, weight in zip(self._trained, weights, strict=bool(weights)):
            param.copy_(weight)
