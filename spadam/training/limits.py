"""When a training ends: after its steps or its time, because its loss has left the ground, or cut short."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
from typing_extensions import override

from spadam.config import TrainerSpec
from spadam.training.curve import Pruning

EXPLODED = 1e3
"""A loss so many times that of the first batch will not come back: the run has diverged."""


class Limits(pl.Callback):
    """Ends a fit at ``spec``'s steps or seconds (epochs are the trainer's own), and when the loss diverges.

    A loss diverges when it is not finite or exceeds :data:`EXPLODED` times the first batch's. Seconds count over all
    attempts of a resumed run.
    """

    def __init__(self, spec: TrainerSpec, batches_per_epoch: int) -> None:
        self._spec = spec
        self.total_steps = spec.most_steps(batches_per_epoch)
        self.diverged = False
        self._first_loss: float | None = None
        self._seconds_before = 0.0
        self._start = 0.0

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.monotonic()
        # A checkpoint of the very end: nothing is left to do.
        trainer.should_stop = self._is_over(trainer)

    @override
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = float(outputs["loss"])
        if self._first_loss is None:
            self._first_loss = loss
        self.diverged = not math.isfinite(loss) or loss > EXPLODED * max(self._first_loss, 1e-30)
        if self._is_over(trainer):
            trainer.should_stop = True

    def _is_over(self, trainer: pl.Trainer) -> bool:
        if self.diverged or (self._spec.steps is not None and trainer.global_step >= self._spec.steps):
            return True
        return self._spec.time_limit is not None and self._seconds() >= self._spec.time_limit

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._start

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"diverged": self.diverged, "first_loss": self._first_loss, "seconds": self._seconds()}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.diverged, self._first_loss = state_dict["diverged"], state_dict["first_loss"]
        self._seconds_before = state_dict["seconds"]


class Cutter(pl.Callback):
    """Ends a fit after an evaluation at which ``pruning`` cuts it, unless it has come to its end there anyway.

    It stands behind the callbacks that evaluate and limit. ``evaluations`` are those so far, and all that it goes by:
    a resumed run, whose evaluations are part of the checkpoint, is cut at the same one.
    """

    def __init__(
        self, pruning: Pruning | None, limits: Limits, evaluations: Callable[[], Sequence[Mapping[str, Any]]]
    ) -> None:
        self._pruning, self._limits, self._evaluations = pruning, limits, evaluations
        self.pruned = False

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._judge(trainer)  # a run that was stopped after it was cut

    @override
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._judge(trainer)

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._judge(trainer)

    def _judge(self, trainer: pl.Trainer) -> None:
        """Cut the fit if it was evaluated at the step that was made last and is not good enough there."""
        if self._pruning is None or trainer.should_stop or trainer.global_step == self._limits.total_steps:
            return
        evaluations = self._evaluations()
        if evaluations[-1]["step"] == trainer.global_step:
            self.pruned = self._pruning.cuts(self._pruning.curve(evaluations))
            trainer.should_stop = self.pruned
