"""The mean loss of the training batches since the last row: a mean since long before would lag behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from typing_extensions import override

from spadam.diagnostics.diagnostic import Diagnostic, Setting, Step


class LossStream(Diagnostic):
    """Sums what was optimised, in float64, without waiting for the device."""

    metrics: ClassVar = ("train/loss_stream",)
    schedule: ClassVar = "step"
    cost: ClassVar = "one addition"
    streams: ClassVar = True
    since: ClassVar = "row"

    @override
    def begin(self, setting: Setting) -> None:
        self._sum = torch.zeros((), dtype=torch.float64, device=setting.device)
        self._steps = 0

    @override
    def observe(self, step: Step) -> None:
        self._sum += step.loss
        self._steps += 1

    @override
    def report(self) -> dict[str, float]:
        return {"train/loss_stream": float(self._sum) / self._steps} if self._steps else {}

    @override
    def reset(self) -> None:
        self._sum.zero_()
        self._steps = 0

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"sum": self._sum.clone(), "steps": self._steps}

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._sum.copy_(state["sum"])
        self._steps = state["steps"]
