"""What a batch may look like: samples, with their classes or targets where there are some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from spadam.spec import InputError

SAMPLES, CLASSES, TARGETS = "x", "y", "target"
"""The keys of a batch that is a dictionary; others are left alone."""


class Unpacked(NamedTuple):
    """What a batch holds, as it was given."""

    x: Tensor
    """Samples, (B, …)."""
    y: Any = None
    """What may be their classes."""
    target: Any = None
    """What may be their targets; None: the samples themselves."""


def unpack(batch: Any) -> Unpacked:
    """The parts of a batch.

    A batch is the samples; or a tuple or list of which they are the first, and classes, if there are any, the second;
    or a dictionary with "x" and perhaps "y" and "target". What else it holds is left alone. Targets come in a
    dictionary only: a second place is that of classes. Raises :class:`InputError` for another.
    """
    rule = 'a batch is samples, (samples, classes, …), or a dictionary with "x" and perhaps "y" and "target"'
    remedy = "let the DataLoader's dataset or collate_fn give one of these"
    x, y, target = batch, None, None
    if isinstance(batch, Mapping):
        if SAMPLES not in batch:
            raise InputError("batch", f"keys {', '.join(map(str, batch))}", rule, remedy)
        x, y, target = batch[SAMPLES], batch.get(CLASSES), batch.get(TARGETS)
    elif isinstance(batch, tuple | list):
        x, y = batch[0] if batch else None, batch[1] if len(batch) > 1 else None
    if not isinstance(x, Tensor):
        raise InputError("batch", type(x).__name__, rule, remedy)
    return Unpacked(x, y, target)


def check_targets(target: Any, samples: int, features: int | None) -> Tensor | None:
    """``target`` as that of so many samples, (B, ``features``), flattened; None for a model that has no targets.

    ``features`` are the model's targets, None where it reconstructs its samples. Raises :class:`InputError` for what
    they cannot be, for targets that are missing, and for some that no model asked for.
    """
    if features is None:
        if target is None:
            return None
        rule = "the model reconstructs its samples, and the batch holds targets"
        raise InputError("batch: target", type(target).__name__, rule, "build the model with targets")
    if target is None:
        rule = f"the model reconstructs targets of {features} features, and the batch holds none"
        raise InputError("batch: target", None, rule, 'give a dictionary with "x" and "target"')
    real = isinstance(target, Tensor) and target.is_floating_point() and target.dim() > 1
    if not real or target.flatten(1).shape != (samples, features):
        found = f"{tuple(target.shape)} of {target.dtype}" if isinstance(target, Tensor) else type(target).__name__
        rule = f"targets must be real numbers, ({samples}, {features})"
        raise InputError("batch: target", found, rule, "give one target a sample, as many features as the model has")
    flat: Tensor = target.flatten(1)
    return flat


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
