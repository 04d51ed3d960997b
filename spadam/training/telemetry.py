"""When things are measured: the Lightning callbacks that call the diagnostics and record what they say.

They compute nothing themselves and know no diagnostic. :class:`Telemetry` lets those of every step observe each, and at
looks, of which there is one every :data:`LOOK_EVERY` steps, the others too. :class:`Rows` has the task evaluated and a
full row recorded, at step 0, every so many steps and at the end; a look in between gives a short row.
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
from spadam.diagnostics.former_names import renamed
from spadam.diagnostics.metric import Split
from spadam.diagnostics.reconstruction import EVALUATED_TRAIN
from spadam.diagnostics.warned import Warned
from spadam.faults import reach
from spadam.tasks.task import Task
from spadam.training.lightning import NotedClipping
from spadam.training.module import TaskModule
from spadam.training.progress import Progress

LOOK_EVERY = 50
"""Steps between two looks; the first step after an evaluation is always looked at."""

_PROGRESS_SECONDS = 0.1


def short_rows(steps: int) -> int:
    """How many short rows come between two evaluations that lie ``steps`` steps apart."""
    return max(0, steps - 1 - LOOK_EVERY // 2) // LOOK_EVERY


class Telemetry(pl.Callback):
    """Measures ``task`` while it is trained on ``dataset``, on ``device``.

    ``evaluate_every`` is how many steps lie between two evaluations, of the task and of a full row; the last may come
    sooner. ``moves_untouched`` says that the optimizer may move rows that a step does not touch, ``silent_after`` how
    many samples a row must not be touched for to be called silent. ``record`` takes every row, ``keep`` is called after
    each full one, which must not be lost any more; ``progress`` is told where the training stands; ``total_steps`` is
    its length, if known. ``evaluations`` are the full rows so far, ``arrays`` what is more than one number. What has
    been seen is part of the checkpoint, so a resumed run reports the same.

    It stands before the callbacks that may end a training, and its ``rows``, which record, behind them.
    """

    def __init__(
        self,
        task: Task,
        dataset: Dataset,
        device: torch.device,
        *,
        evaluate_every: int,
        moves_untouched: bool,
        silent_after: int,
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
        self._evaluate_every = evaluate_every
        self.rows = Rows(self)
        self._diagnostics: list[Diagnostic] = [member() for member in registry.DIAGNOSTICS]
        for diagnostic in self._diagnostics:
            diagnostic.begin(Setting(task.tables, device, moves_untouched, silent_after))
        self._every_step = [diagnostic for diagnostic in self._diagnostics if diagnostic.schedule == "step"]
        self._looked_at = False
        self._seconds_before = 0.0
        self._start = time.perf_counter()
        self._step_start = self._told = 0.0

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.evaluations:
            self.evaluate(trainer, epoch=0)

    @override
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._looked_at = self._since_evaluation(trainer) % LOOK_EVERY == 0
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
            _clip_factor(trainer),
        )
        for diagnostic in self._watching():
            diagnostic.observe(step)
        self._tell(trainer, step.loss)
        reach("worker: mid-epoch")

    def warnings(self) -> list[Warned]:
        """What a reader of the numbers must know."""
        last = self.evaluations[-1]
        return [warned for diagnostic in self._diagnostics for warned in diagnostic.warnings(last)]

    def _watching(self) -> list[Diagnostic]:
        """Who observes the present step."""
        return self._diagnostics if self._looked_at else self._every_step

    def is_due(self, trainer: pl.Trainer) -> bool:
        """An evaluation belongs to the step that was made last."""
        return trainer.global_step % self._evaluate_every == 0

    def is_evaluated(self, trainer: pl.Trainer) -> bool:
        """There has been one at the step that was made last."""
        return self._since_evaluation(trainer) == 0

    def is_over(self, trainer: pl.Trainer) -> bool:
        """The step that was made last is that of the training."""
        return trainer.should_stop or trainer.global_step == self._total_steps

    def note_look(self, trainer: pl.Trainer, epoch: int) -> None:
        """Record a short row if the last step was looked at, unless it was the first or the next full row is near.

        So there are at least half as many steps between the two as between two looks, where the end is foreseen.
        """
        step = trainer.global_step
        following = (step // self._evaluate_every + 1) * self._evaluate_every
        following = following if self._total_steps is None else min(following, self._total_steps)
        if self._looked_at and self._since_evaluation(trainer) > 1 and following - step >= LOOK_EVERY // 2:
            self._note({**self._place(trainer, epoch), **self._report(full=False)})
            self._reset("row")

    def evaluate(self, trainer: pl.Trainer, epoch: int) -> None:
        """Record a full row: what diagnostics say, and the task's evaluations of training and validation."""
        self._tell(trainer, None, doing="evaluating")
        row = {**self._place(trainer, epoch), **self._report(full=True)}
        arrays: dict[str, Any] = {}
        splits: dict[Split, Tensor] = {"train": self._dataset.train[:EVALUATED_TRAIN], "val": self._dataset.validation}
        module = trainer.lightning_module
        assert isinstance(module, TaskModule)
        with module.averaging.evaluated():
            self._task.prepare_evaluation(self._dataset, splits["train"])
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
        self._reset("row", "evaluation")

    def _report(self, *, full: bool) -> dict[str, float]:
        """What diagnostics have seen since they began anew; of those that stream only, unless ``full``."""
        found: dict[str, float] = {}
        for diagnostic in self._diagnostics:
            if full or diagnostic.streams:
                found |= diagnostic.report()
        return found

    def _reset(self, *rows: str) -> None:
        """Have those diagnostics begin anew whose reports are of the steps since such a row."""
        for diagnostic in self._diagnostics:
            if diagnostic.since in rows:
                diagnostic.reset()

    def _since_evaluation(self, trainer: pl.Trainer) -> int:
        """Steps that were made since the last evaluation."""
        step: int = self.evaluations[-1]["step"]
        return trainer.global_step - step

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
        self.evaluations = [renamed(row) for row in state_dict["evaluations"]]
        self.arrays = state_dict["arrays"]
        self._seconds_before = state_dict["seconds"]
        states = state_dict["diagnostics"]
        for diagnostic in self._diagnostics:
            if (state := states.get(type(diagnostic).__name__)) is not None:  # one that is new begins here
                diagnostic.load_state_dict(state)


class Rows(pl.Callback):
    """Has ``telemetry`` record, once it is known whether the training goes on: it stands behind those who may end it.

    So no short row comes at a step that turns out to be the last, where the full one would have nothing left to say. A
    step that ends an epoch is evaluated at the epoch's own end, as it is saved there.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    @override
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_last_batch or trainer.should_stop:
            return
        if self._telemetry.is_due(trainer):
            self._telemetry.evaluate(trainer, trainer.current_epoch)
        else:
            self._telemetry.note_look(trainer, trainer.current_epoch)

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        telemetry = self._telemetry
        if telemetry.is_evaluated(trainer):  # it was cut short there, in the middle of the epoch
            return
        if telemetry.is_due(trainer) or telemetry.is_over(trainer):
            telemetry.evaluate(trainer, trainer.current_epoch + 1)
        else:
            telemetry.note_look(trainer, trainer.current_epoch + 1)


def _clip_factor(trainer: pl.Trainer) -> Tensor | None:
    plugin = trainer.precision_plugin
    return plugin.factor if isinstance(plugin, NotedClipping) else None
