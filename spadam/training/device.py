"""Where a training computes."""

from __future__ import annotations

import torch

from spadam.config import TrainerSpec
from spadam.spec import InputError


def device_for(trainer: TrainerSpec) -> torch.device:
    """The device of a training. Raises :class:`InputError` when this machine has not what ``trainer`` asks for."""
    found = torch.cuda.is_available()
    if trainer.accelerator == "gpu" and not found:
        rule = "torch must see a CUDA device"
        raise InputError("trainer.accelerator", trainer.accelerator, rule, "use auto or cpu")
    device = torch.device("cuda" if found and trainer.accelerator != "cpu" else "cpu")
    if trainer.kernels == "compiled" and device.type != "cpu":
        remedy = "use auto, or trainer.accelerator: cpu"
        raise InputError("trainer.kernels", trainer.kernels, "compiled loops run on a CPU", remedy)
    return device
