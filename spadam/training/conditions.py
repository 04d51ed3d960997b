"""What must hold of a Trainer and of a checkpoint before a task is trained with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import GradientAccumulationScheduler
from torch import Tensor

from spadam.spec import InputError


def check_trainer(trainer: pl.Trainer) -> None:
    """Raise :class:`InputError` unless ``trainer`` makes one update a batch, on one device."""
    check_accumulation(trainer)
    for callback in trainer.callbacks:  # type: ignore[attr-defined] # Lightning declares it later
        if isinstance(callback, GradientAccumulationScheduler):
            for number in callback.scheduling.values():
                _check_batches(number)
    if trainer.world_size != 1:
        rule = "one training runs on one device: the rows touched in a step are those of one batch"
        remedy = "give the Trainer devices=1, and fill devices with several trainings (spadam sweep run --workers N)"
        raise InputError("trainer.world_size", trainer.world_size, rule, remedy)


def check_accumulation(trainer: pl.Trainer) -> None:
    """Raise :class:`InputError` where gradients are accumulated over batches: it may begin in any epoch."""
    _check_batches(trainer.accumulate_grad_batches)


def _check_batches(number: int) -> None:
    if number != 1:
        rule = "accumulate_grad_batches must be 1: the rows touched in a step are those of one batch"
        remedy = "use larger batches, or `row_accumulate` of the optimizer, which sums the gradients of each row"
        raise InputError("trainer.accumulate_grad_batches", number, rule, remedy)


def check_weights(saved: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Raise :class:`InputError` unless ``saved``, the weights of a checkpoint, are those of a module like ours."""
    remedy = "build the module as it was when that was saved: probe, latents, tied, rule"
    for name in [*own, *saved]:
        if name not in saved:
            raise InputError(f"checkpoint.{name}", None, "the checkpoint lacks it", remedy)
        if name not in own:
            raise InputError(f"checkpoint.{name}", None, "this module has nothing of that name", remedy)
        if isinstance(own[name], Tensor) and own[name].shape != saved[name].shape:
            shape = tuple(saved[name].shape)
            raise InputError(f"checkpoint.{name}", shape, f"its shape must be {tuple(own[name].shape)}", remedy)
