"""An optimizer that draws from every global random generator in every step."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch


class NoisySGD(torch.optim.SGD):
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                drawn = np.random.rand() + random.random()  # noqa: NPY002
                parameter.data.add_(torch.randn_like(parameter), alpha=1e-4 * drawn)
        return loss
