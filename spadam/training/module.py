"""The one LightningModule: a sparse autoencoder, trained by the optimizer in question, and a probe on its codes.

Shapes: B samples, D features, L latents, P pairs (sample, latent) that are on, R rows touched, C classes.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer
from typing_extensions import override

from spadam.diagnostics.reconstruction import SquaredErrors
from spadam.encoding.execution import Code, row_sparse
from spadam.models.autoencoder import Output, SparseAutoencoder
from spadam.models.probe import LinearProbe
from spadam.optim import OptimizerSpec
from spadam.optim.rows.touched import RowSamples, row_samples
from spadam.optim.schedule import factor

_PLAIN = {str, float, type(None), RowSamples}


class AutoencoderModule(pl.LightningModule):
    """Trains a :class:`SparseAutoencoder` and, beside it, a linear probe on its detached codes.

    Batches are ``x_BD``, or ``(x_BD, y_B)`` with class labels, or images, which are flattened. The optimizer is
    Lightning's own (automatic optimization), so norm clipping, schedules and ``global_step`` work as usual; the probe
    steps its own Adam inside ``training_step``, is part of the checkpoint, and gives the autoencoder no gradient. Use
    it with any ``pytorch_lightning.Trainer``; gradients cannot be accumulated over batches, since a step's touched rows
    are those of one batch.

    Validation and test log mse and fvu of the evaluation code under the names of the registry of metrics.

    ``total_steps`` is the length of the lr schedule, by default what the trainer plans.
    """

    def __init__(
        self,
        autoencoder: SparseAutoencoder,
        optimizer: OptimizerSpec,
        probe: LinearProbe | None = None,
        probe_lr: float = 1e-2,
        total_steps: int | None = None,
    ) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.probe = probe
        self.optimizer_spec = optimizer
        self.total_steps = total_steps
        self.probe_optimizer = torch.optim.Adam(probe.parameters(), lr=probe_lr, fused=True) if probe else None
        self.optimizer_seconds = 0.0  # the last step, from the end of backward: clipping and update
        self._backward_end = 0.0
        self._trained = tuple(autoencoder.parameters())  # finding them anew in every step took longer than using them

    @override
    def forward(self, x_BD: Tensor) -> Output:
        return self.autoencoder(x_BD.flatten(1))  # type: ignore[no-any-return]

    def loss(self, x_BD: Tensor, output: Output) -> Tensor:
        """The squared error as `reduction` says, plus the rule's own term."""
        spec = self.autoencoder.spec
        loss = F.mse_loss(output.reconstruction_BD, x_BD, reduction="mean" if spec.reduction == "mean" else "sum")
        if spec.reduction == "sample":
            loss = loss / len(x_BD)
        penalty = self.autoencoder.rule.penalty(output.code.values_P, len(x_BD))
        return loss if penalty is None else loss + penalty

    @override
    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """One batch; beside the loss, what the step has to say of its code."""
        x_BD, y_B = self._unpack(batch)
        output = self.autoencoder(x_BD, probe=self.probe is not None and y_B is not None)
        touched = row_samples(self.autoencoder.encoder_weight)
        assert touched is not None, "the autoencoder is in training mode"
        self._touched = touched
        report = {
            "loss": self.loss(x_BD, output),
            "touched": self._touched,
            "active": (output.code.values_P.detach() != 0).sum(),
        }
        if output.probe_code is not None and y_B is not None:
            report["correct"] = self._step_probe(output.probe_code, y_B)
        return report

    # Lightning asks for it before every step; where it stands it need not be found out anew, which took 40 µs.
    training_step.__signature__ = inspect.signature(training_step)  # type: ignore[attr-defined]

    def _step_probe(self, code: Code, y_B: Tensor) -> Tensor:
        """One step of the probe; the number of samples that it had right before the step."""
        assert self.probe is not None
        assert self.probe_optimizer is not None
        logits_BC = self.probe(code)
        self.probe_optimizer.zero_grad()
        loss: Any = F.cross_entropy(logits_BC, y_B)
        loss.backward()
        self.probe_optimizer.step()
        right: Tensor = logits_BC.detach().argmax(1) == y_B
        return right.sum()

    @override
    def on_validation_epoch_start(self) -> None:
        self._errors = SquaredErrors()

    @override
    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self._note_errors(batch)

    @override
    def on_validation_epoch_end(self) -> None:
        self.log_dict(self._errors.result().metrics("val"))

    @override
    def on_test_epoch_start(self) -> None:
        self._errors = SquaredErrors()

    @override
    def test_step(self, batch: Any, batch_idx: int) -> None:
        self._note_errors(batch)

    @override
    def on_test_epoch_end(self) -> None:
        self.log_dict(self._errors.result().metrics("test"))

    def _note_errors(self, batch: Any) -> None:
        x_BD, _ = self._unpack(batch)
        self._errors.add(x_BD, self.autoencoder(x_BD).reconstruction_BD)

    @override
    def on_after_backward(self) -> None:
        """Give every gradient the form that the optimizer takes, and unit decoder rows a gradient along the sphere."""
        for parameter in self._trained:
            grad = parameter.grad
            if grad is not None and grad.is_sparse != (self.optimizer_spec.gradient == "coo"):
                parameter.grad = _in_other_form(parameter, grad)
        self.autoencoder.project_gradient()

    @override
    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: Optimizer) -> None:
        """What ``optimizer.zero_grad()`` does, without its notes for a profiler."""
        for parameter in self._trained:
            parameter.grad = None

    @override
    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        self._backward_end = time.perf_counter()

    @override
    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Any,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """The optimizer's step, and unit decoder rows put back onto the sphere."""
        optimizer.step(closure=optimizer_closure)
        # Rows that an optimizer holds still must not be moved by rounding either.
        self.autoencoder.normalise(None if self.optimizer_spec.moves_untouched else self._touched.rows_R)
        self.optimizer_seconds = time.perf_counter() - self._backward_end

    @override
    def configure_optimizers(self) -> OptimizerLRScheduler:
        if self.trainer.accumulate_grad_batches != 1:
            raise ValueError("accumulate_grad_batches must be 1: the rows touched in a step are those of one batch")
        optimizer = self.optimizer_spec.build(self.autoencoder.parameters())
        schedule = self.optimizer_spec.schedule
        total = self.total_steps or self.trainer.estimated_stepping_batches
        if schedule.name != "constant" and not math.isfinite(total):
            raise ValueError(f"a {schedule.name} schedule needs a limit of epochs or steps")
        if schedule.name == "constant" and not schedule.warmup_steps:
            return optimizer
        steps = int(total) if math.isfinite(total) else 0  # a constant schedule has no use for it
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(schedule, step, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    @override
    def __setattr__(self, name: str, value: Any) -> None:
        """As torch does it, in a tenth of the time for plain values: Lightning notes thirty in every step."""
        if type(value) in _PLAIN and name in self.__dict__:
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.probe_optimizer is not None:
            checkpoint["probe_optimizer"] = self.probe_optimizer.state_dict()

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.probe_optimizer is not None:
            self.probe_optimizer.load_state_dict(checkpoint["probe_optimizer"])

    def _unpack(self, batch: Any) -> tuple[Tensor, Tensor | None]:
        x, y_B = batch if isinstance(batch, tuple | list) else (batch, None)
        return x.flatten(1).to(self.autoencoder.decoder_bias.dtype), y_B


def _in_other_form(parameter: torch.nn.Parameter, grad: Tensor) -> Tensor:
    """A COO gradient of ``parameter`` as a dense tensor, a dense one as COO over its touched rows."""
    if grad.is_sparse:
        return grad.to_dense()
    touched = row_samples(parameter)
    assert touched is not None
    return row_sparse(touched.rows_R, grad.index_select(0, touched.rows_R), grad.shape)
