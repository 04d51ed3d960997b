"""What a model takes as samples.

Shapes: B samples, D features.
"""

from __future__ import annotations

from torch import Tensor

from spadam.spec import InputError


def check_samples(x_BD: Tensor, features: int, *, training: bool) -> None:
    """Raise :class:`InputError` for what are no samples (B, ``features``), or in training not one."""
    if x_BD.dim() != 2 or x_BD.shape[1] != features:
        rule, remedy = f"samples must be (samples, {features})", f"use x.reshape(-1, {features})"
        raise InputError("x", tuple(x_BD.shape), rule, remedy)
    if not x_BD.is_floating_point():
        raise InputError("x", x_BD.dtype, "samples must be real numbers", "use x.float(), scaled as in training")
    if training and not x_BD.shape[0]:
        raise InputError("x", tuple(x_BD.shape), "a training batch must have a sample", "leave the batch out")
