"""What a batch may look like: samples, with their classes where there are some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from spadam.spec import InputError

SAMPLES, CLASSES = "x", "y"
"""The keys of a batch that is a dictionary; others are left alone."""


def unpack(batch: Any) -> tuple[Tensor, Tensor | None]:
    """Samples (B, …) and what may be their classes.

    A batch is the samples; or a tuple or list of which they are the first, and classes, if there are any, the second;
    or a dictionary with "x" and perhaps "y". What else it holds is left alone. Raises :class:`InputError` for another.
    """
    rule = 'a batch is samples, (samples, classes, …), or a dictionary with "x" and perhaps "y"'
    remedy = "let the DataLoader's dataset or collate_fn give one of these"
    x, y = batch, None
    if isinstance(batch, Mapping):
        if SAMPLES not in batch:
            raise InputError("batch", f"keys {', '.join(map(str, batch))}", rule, remedy)
        x, y = batch[SAMPLES], batch.get(CLASSES)
    elif isinstance(batch, tuple | list):
        x, y = batch[0] if batch else None, batch[1] if len(batch) > 1 else None
    if not isinstance(x, Tensor):
        raise InputError("batch", type(x).__name__, rule, remedy)
    return x, y


def check_classes(y: Any, samples: int) -> Tensor:
    """``y`` as the classes of so many samples, (B,); raises :class:`InputError` for what they cannot be."""
    whole = isinstance(y, Tensor) and not (y.is_floating_point() or y.is_complex() or y.dtype == torch.bool)
    if not whole or y.shape != (samples,):
        found = f"{tuple(y.shape)} of {y.dtype}" if isinstance(y, Tensor) else type(y).__name__
        rule = f"the probe learns from one whole number a sample, ({samples},)"
        raise InputError(
            "batch: classes", found, rule, "give class numbers second, or build the module without a probe"
        )
    labels: Tensor = y
    return labels.long()
