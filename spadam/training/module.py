"""The one LightningModule: a task, trained by the optimizer in question.

Shapes: B samples, D features, E features of what is reconstructed.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.autograd.graph import increment_version
from torch.optim import Optimizer
from typing_extensions import override

from spadam.diagnostics.reconstruction import SquaredErrors
from spadam.encoding.execution import row_sparse
from spadam.models.autoencoder import Output, SparseAutoencoder
from spadam.models.probe import LinearProbe
from spadam.optim import OptimizerSpec, RowOptimizer
from spadam.optim.rows.touched import RowSamples, list_rows
from spadam.optim.schedule import factor
from spadam.tasks.autoencoder import AutoencoderTask
from spadam.tasks.task import Task
from spadam.training.averaging import Averaging
from spadam.training.conditions import check_accumulation, check_trainer, check_weights


class TaskModule(pl.LightningModule):
    """Trains a :class:`~spadam.tasks.task.Task`, whatever kind it is.

    The optimizer is Lightning's own (automatic optimization), so norm clipping, schedules and ``global_step`` work as
    usual. Use it with any ``pytorch_lightning.Trainer`` that makes one update a batch on one device
    (:mod:`spadam.training.conditions`): a step's touched rows are those of one batch, and a row that has a gradient
    without being one of them is an error. ``total_steps`` is the length of the lr schedule, by default what the trainer
    plans.
    """

    def __init__(self, task: Task, optimizer: OptimizerSpec, total_steps: int | None = None) -> None:
        super().__init__()
        self.task = task
        for name, part in task.modules().items():
            self.add_module(name, part)
        self.optimizer_spec = optimizer
        self.total_steps = total_steps
        self.averaging = Averaging(task, optimizer)
        self._validation = contextlib.ExitStack()
        self.optimizer_seconds = 0.0  # the last step, from the end of backward: clipping and update
        self._backward_end = 0.0
        self._touched: Mapping[str, RowSamples] = {}
        self._trained = tuple(task.model.parameters())  # finding them anew in every step took longer than using them

    @property
    def lr(self) -> float:
        """The optimizer's learning rate; a Tuner's ``lr_find`` reads and sets it."""
        return self.optimizer_spec.lr

    @lr.setter
    def lr(self, value: float) -> None:
        self.optimizer_spec = self.optimizer_spec.model_copy(update={"lr": float(value)})

    @override
    def setup(self, stage: str) -> None:
        if stage == "fit":
            check_trainer(self.trainer)
            self.averaging.begin()

    @override
    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        check_accumulation(self.trainer)

    @override
    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """One batch: the fields of a :class:`~spadam.tasks.task.StepResult`."""
        result = self.task.training_step(batch)
        self._touched = result.touched
        return result._asdict()

    @override
    def on_after_backward(self) -> None:
        """Give every gradient the form that the optimizer takes, then let the task have its way with them."""
        for parameter in self._trained:
            grad = parameter.grad
            if grad is not None and grad.is_sparse != (self.optimizer_spec.gradient == "coo"):
                parameter.grad = _in_other_form(parameter, grad)
        self.task.before_update()

    @override
    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """As Lightning does it, and by value in the rows of a COO gradient too, which torch does not take."""
        if gradient_clip_algorithm != "value" or gradient_clip_val is None:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
            return
        for parameter in self._trained:
            grad = parameter.grad
            if grad is not None:
                if grad.is_sparse:
                    grad = parameter.grad = grad.coalesce()
                    grad = grad.values()
                grad.clamp_(-gradient_clip_val, gradient_clip_val)

    @override
    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        self._backward_end = time.perf_counter()
        self.averaging.prepare()

    @override
    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Any,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """The optimizer's step, and what follows an update; at the end of an epoch, that too.

        Here, and not in a hook of the epoch's end: whatever is saved or evaluated at that end comes after it.
        """
        optimizer.step(closure=optimizer_closure)
        self.task.after_update(self._touched if self.optimizer_spec.holds else None)
        self.averaging.update()
        if self.trainer.is_last_batch:
            self.task.end_epoch()
        self.optimizer_seconds = time.perf_counter() - self._backward_end

    @override
    def on_validation_epoch_start(self) -> None:
        self._validation.enter_context(self.averaging.evaluated())

    @override
    def on_validation_epoch_end(self) -> None:
        self._validation.close()  # before a callback saves what a training goes on from

    @override
    def on_train_end(self) -> None:
        self.averaging.settle()

    @override
    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = self.optimizer_spec.build(self.task.model.parameters())
        self.averaging.follow(optimizer)
        if not isinstance(optimizer, RowOptimizer):
            optimizer.register_step_post_hook(_count_changes)
        schedule = self.optimizer_spec.schedule
        total = self.total_steps or self.trainer.estimated_stepping_batches
        if schedule.needs_length and not math.isfinite(total):
            raise ValueError(f"a {schedule.name} schedule needs a limit of epochs or steps")
        if not schedule.needs_length and not schedule.warmup_steps:
            return optimizer
        steps = int(total) if math.isfinite(total) else 0  # a constant schedule has no use for it
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(schedule, step, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = self.task.state_dict()
        assert not state.keys() & checkpoint.keys(), "a task's keys differ from Lightning's"
        checkpoint.update(state)

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        check_weights(checkpoint["state_dict"], self.state_dict())
        self.task.load_state_dict(checkpoint)


class AutoencoderModule(TaskModule):
    """Trains a :class:`SparseAutoencoder` and, beside it, a linear probe on its detached codes.

    Batches are ``x_BD``, or ``(x_BD, y_B)`` with class labels (``spadam/tasks/batch.py`` has the other forms), or
    images, which are flattened; of a model with targets, ``{"x": x_BD, "target": target_BE}``. The probe steps its own
    Adam inside ``training_step``, is part of the checkpoint, and gives the autoencoder no gradient. Validation and test
    log mse and fvu of the evaluation code under the names of the registry of metrics; of several loaders each has
    Lightning's suffix, ``/dataloader_idx_0`` and so on.
    """

    autoencoder: SparseAutoencoder
    probe: LinearProbe | None

    def __init__(
        self,
        autoencoder: SparseAutoencoder,
        optimizer: OptimizerSpec,
        probe: LinearProbe | None = None,
        probe_lr: float = 1e-2,
        total_steps: int | None = None,
    ) -> None:
        task = AutoencoderTask(autoencoder, probe, probe_lr)
        super().__init__(task, optimizer, total_steps)
        self._autoencoder_task = task
        self._errors: dict[int, SquaredErrors] = {}  # by loader
        if probe is None:
            self.probe = None

    @override
    def forward(self, x_BD: Tensor) -> Output:
        return self.autoencoder(x_BD.flatten(1))  # type: ignore[no-any-return]

    def loss(self, target_BE: Tensor, output: Output) -> Tensor:
        """The squared error of what was to be reconstructed as `reduction` says, plus the rule's own term."""
        return self._autoencoder_task.loss(target_BE, output)

    @override
    def on_validation_epoch_start(self) -> None:
        super().on_validation_epoch_start()
        self._errors = {}

    @override
    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._note_errors(batch, dataloader_idx)

    @override
    def on_validation_epoch_end(self) -> None:
        super().on_validation_epoch_end()
        self._log_errors("val")

    @override
    def on_test_epoch_start(self) -> None:
        self._errors = {}

    @override
    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._note_errors(batch, dataloader_idx)

    @override
    def on_test_epoch_end(self) -> None:
        self._log_errors("test")

    @override
    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Output:
        """The reconstruction and the code of a batch, whether it has labels and targets or not."""
        return self.autoencoder(self._autoencoder_task.samples(batch))  # type: ignore[no-any-return]

    def _note_errors(self, batch: Any, loader: int) -> None:
        x_BD, _, target_BE = self._autoencoder_task.unpack(batch)
        self._errors.setdefault(loader, SquaredErrors()).add(target_BE, self.autoencoder(x_BD).reconstruction_BD)

    def _log_errors(self, split: Literal["val", "test"]) -> None:
        for loader, errors in self._errors.items():
            suffix = f"/dataloader_idx_{loader}" if len(self._errors) > 1 else ""
            metrics = {name + suffix: value for name, value in errors.result().metrics(split).items()}
            self.log_dict(metrics, add_dataloader_idx=False)


def _count_changes(optimizer: Optimizer, *_: object) -> None:
    """Count a step as a change of its weights, for who follows them: torch's fused optimizers do not."""
    for group in optimizer.param_groups:
        increment_version(group["params"])


def _in_other_form(parameter: torch.nn.Parameter, grad: Tensor) -> Tensor:
    """A COO gradient of ``parameter`` as a dense tensor, a dense one as COO over its touched rows.

    Raises :class:`InputError` when a row has a gradient that is not one of these.
    """
    if grad.is_sparse:
        return grad.to_dense()
    listing = list_rows(parameter)
    values = listing.grad_RD.to(grad.dtype).reshape(-1, *grad.shape[1:])
    return row_sparse(listing.rows_R, values, grad.shape)
