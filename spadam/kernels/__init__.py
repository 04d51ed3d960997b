"""The few hot loops of a training step, and the choice of who runs them.

``reference`` says in torch operations what each one means, on any device. A faster module offers the same names with
the same meaning; :func:`choose` is the one place where a device is given its kernels.
"""

from types import ModuleType

import torch

from spadam.kernels import reference


def choose(device: torch.device) -> ModuleType:
    """The module whose functions run on ``device``; its last name is what a run records as its kernels."""
    del device  # reference serves every device
    return reference


__all__ = ["choose", "reference"]
