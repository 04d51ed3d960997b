"""The few hot loops of a training step, and the choice of who runs them.

``reference`` says in torch operations what each one means, on any device. A faster module offers the same names with
the same meaning; :func:`choose` is the one place where a device is given its kernels.
"""

from types import ModuleType

import torch

from spadam.kernels import reference


def choose(device: torch.device) -> ModuleType:
    """The module whose functions run on ``device``."""
    del device  # reference serves every device
    return reference


def name(device: torch.device) -> str:
    """What a run on ``device`` records as its kernels."""
    return choose(device).__name__.rpartition(".")[2]


__all__ = ["choose", "name", "reference"]
