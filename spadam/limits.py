"""When a training ends: after its steps, after its time, or because its loss has left the ground."""

from __future__ import annotations

import math
import time
from typing import Any

import pytorch_lightning as pl
from typing_extensions import override

from spadam.config import TrainerSpec

EXPLODED = 1e3
"""A loss so many times that of the first batch will not come back: the run has diverged."""


class Limits(pl.Callback):
    """Ends a fit at ``spec``'s steps or seconds (epochs are the trainer's own), and when the loss diverges.

    A loss diverges when it is not finite or exceeds :data:`EXPLODED` times the first batch's. Seconds count over all
    attempts of a resumed run.
    """

    def __init__(self, spec: TrainerSpec, batches_per_epoch: int) -> None:
        self._spec = spec
        ends = [] if spec.epochs is None else [spec.epochs * batches_per_epoch]
        self.total_steps = min([*ends, spec.steps]) if spec.steps else (ends[0] if ends else None)
        self.diverged = False
        self._first_loss: float | None = None
        self._seconds_before = 0.0
        self._start = 0.0

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.monotonic()
        # A checkpoint of the very end: nothing is left to do.
        trainer.should_stop = self._is_over(trainer.global_step)

    @override
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = float(outputs["loss"])
        if self._first_loss is None:
            self._first_loss = loss
        self.diverged = not math.isfinite(loss) or loss > EXPLODED * max(self._first_loss, 1e-30)
        trainer.should_stop = trainer.should_stop or self._is_over(trainer.global_step)

    def _is_over(self, step: int) -> bool:
        if self.diverged or (self._spec.steps is not None and step >= self._spec.steps):
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
