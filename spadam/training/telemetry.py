"""When things are measured: the Lightning callback that calls the diagnostics and records what they say.

It computes nothing itself and knows no diagnostic. Every step it lets those of every step observe; every
:data:`LOOK_EVERY` steps also those of a look, and records a short row; at step 0 and after every epoch the task is
evaluated and a full row recorded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from typing_extensions import override

from spadam.data import Dataset
from spadam.diagnostics import registry
from spadam.diagnostics.diagnostic import Diagnostic, Setting, Step
from spadam.diagnostics.metric import Split
from spadam.diagnostics.reconstruction import EVALUATED_TRAIN
from spadam.diagnostics.warned import Warned
from spadam.faults import reach
from spadam.tasks.task import Task
from spadam.training.module import TaskModule
from spadam.training.progress import Progress

LOOK_EVERY = 50
"""Steps of an epoch between two looks; the first step of an epoch is always looked at."""

_PROGRESS_SECONDS = 0.1


class Telemetry(pl.Callback):
    """Measures ``task`` while it is trained on ``dataset``, on ``device``.

    ``moves_untouched`` says that the optimizer may move rows that a step does not touch. ``record`` takes every row,
    ``keep`` is called after each full one, which must not be lost any more; ``progress`` is told where the training
    stands; ``total_steps`` is its length, if known. ``evaluations`` are the
    full rows so far, ``arrays`` what is more than one number. What has been seen is part of the checkpoint, so a
    resumed run reports the same.
    """

    def __init__(
        self,
        task: Task,
        dataset: Dataset,
        device: torch.device,
        *,
        moves_untouched: bool,
        record: Callable[[Mapping[str, Any]], None] | None = None,
        keep: Callable[[], None] | None = None,
        progress: Callable[[Progress], None] | None = None,
        total_steps: int | None = None,
    ) -> None:
        self.evaluations: list[dict[str, Any]] = []
        self.arrays: dict[str, Any] = {}
        self._task, self._dataset = task, dataset
        self._record, self._keep = record, keep
        self._progress, self._total_steps = progress, total_steps
        self._diagnostics: list[Diagnostic] = [member() for member in registry.DIAGNOSTICS]
        for diagnostic in self._diagnostics:
            diagnostic.begin(Setting(task.tables, device, moves_untouched))
        self._every_step = [diagnostic for diagnostic in self._diagnostics if diagnostic.schedule == "step"]
        self._looked_at = False
        self._seconds_before = 0.0
        self._start = time.perf_counter()
        self._step_start = self._told = 0.0

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.evaluations:
            self._evaluate(trainer, pl_module, epoch=0)

    @override
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._looked_at = batch_idx % LOOK_EVERY == 0
        self._step_start = time.perf_counter()

    @override
    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        for diagnostic in self._watching():
            diagnostic.prepare(self._task.tables)

    @override
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, TaskModule)
        step = Step(
            outputs["samples"],
            outputs["loss"],
            self._task.tables,
            outputs["touched"],
            outputs["scalars"],
            trainer.optimizers[0],
            time.perf_counter() - self._step_start,
            pl_module.optimizer_seconds,
        )
        for diagnostic in self._watching():
            diagnostic.observe(step)
        if self._looked_at and batch_idx and not trainer.is_last_batch:
            self._note({**self._place(trainer, trainer.current_epoch), **self._report(full=False)})
        self._tell(trainer, step.loss)
        reach("worker: mid-epoch")

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._evaluate(trainer, pl_module, epoch=trainer.current_epoch + 1)
        for diagnostic in self._diagnostics:
            diagnostic.reset()

    def warnings(self) -> list[Warned]:
        """What a reader of the numbers must know."""
        last = self.evaluations[-1]
        return [warned for diagnostic in self._diagnostics for warned in diagnostic.warnings(last)]

    def _watching(self) -> list[Diagnostic]:
        """Who observes the present step."""
        return self._diagnostics if self._looked_at else self._every_step

    def _evaluate(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        """Record a full row: what diagnostics say, and the task's evaluations of training and validation."""
        assert isinstance(pl_module, TaskModule)
        self._tell(trainer, None, doing="evaluating")
        row = {**self._place(trainer, epoch), **self._report(full=True)}
        arrays: dict[str, Any] = {}
        splits: dict[Split, Tensor] = {"train": self._dataset.train[:EVALUATED_TRAIN], "val": self._dataset.validation}
        with pl_module.averaging.evaluated():
            for split, rows_N in splits.items():
                if len(rows_N):
                    found = self._task.evaluate(self._dataset, split, rows_N)
                    row |= found.metrics
                    arrays |= found.arrays
        self.arrays = arrays
        self.evaluations.append(row)
        self._note(row | arrays)
        if self._keep is not None:
            self._keep()

    def _report(self, *, full: bool) -> dict[str, float]:
        """What diagnostics have seen since the last evaluation; of those that stream only, unless ``full``."""
        found: dict[str, float] = {}
        for diagnostic in self._diagnostics:
            if full or diagnostic.streams:
                found |= diagnostic.report()
        return found

    def _place(self, trainer: pl.Trainer, epoch: int) -> dict[str, Any]:
        return {"epoch": epoch, "step": trainer.global_step, "time": round(self._seconds(), 3)}

    def _seconds(self) -> float:
        return self._seconds_before + time.perf_counter() - self._start

    def _note(self, row: Mapping[str, Any]) -> None:
        if self._record is not None:
            self._record(row)

    def announce(self, doing: str) -> None:
        """Say what is being done before the first step and after the last."""
        if self._progress is not None:
            step = self.evaluations[-1]["step"] if self.evaluations else 0
            self._progress(Progress(step, self._total_steps, None, doing))

    def _tell(self, trainer: pl.Trainer, loss: Tensor | None, doing: str = "training") -> None:
        if self._progress is None:
            return
        now = time.perf_counter()
        if doing != "training" or now - self._told > _PROGRESS_SECONDS:
            self._told = now
            known = None if loss is None else float(loss)
            self._progress(Progress(trainer.global_step, self._total_steps, known, doing))

    @override
    def state_dict(self) -> dict[str, Any]:
        return {
            "evaluations": self.evaluations,
            "arrays": self.arrays,
            "seconds": self._seconds(),
            "diagnostics": {type(diagnostic).__name__: diagnostic.state_dict() for diagnostic in self._diagnostics},
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.evaluations, self.arrays = state_dict["evaluations"], state_dict["arrays"]
        self._seconds_before = state_dict["seconds"]
        states = state_dict["diagnostics"]
        for diagnostic in self._diagnostics:
            if (state := states.get(type(diagnostic).__name__)) is not None:  # one that is new begins here
                diagnostic.load_state_dict(state)
