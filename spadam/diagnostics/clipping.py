"""How much the clipping of the gradient's norm takes away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from typing_extensions import override

from spadam.diagnostics.diagnostic import Diagnostic, Setting, Step


class Clipping(Diagnostic):
    """Adds up the factors of the steps since the last row, in float64, without waiting for the device.

    A factor is min(1, c / (norm + 1e-6)), c being `trainer.clip_norm`, as torch has it; it has clipped where it is
    below 1. Nothing is reported where nothing is clipped.
    """

    metrics: ClassVar = ("optim/clipped", "optim/clip_factor")
    schedule: ClassVar = "step"
    cost: ClassVar = "a comparison and two additions"
    streams: ClassVar = True
    since: ClassVar = "row"

    @override
    def begin(self, setting: Setting) -> None:
        self._clipped = torch.zeros((), dtype=torch.int64, device=setting.device)
        self._factors = torch.zeros((), dtype=torch.float64, device=setting.device)
        self._steps = 0

    @override
    def observe(self, step: Step) -> None:
        if step.clip_factor is not None:
            self._clipped += step.clip_factor < 1
            self._factors += step.clip_factor
            self._steps += 1

    @override
    def report(self) -> dict[str, float]:
        if not self._steps:
            return {}
        return {
            "optim/clipped": int(self._clipped) / self._steps,
            "optim/clip_factor": float(self._factors) / self._steps,
        }

    @override
    def reset(self) -> None:
        self._clipped.zero_()
        self._factors.zero_()
        self._steps = 0

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"clipped": self._clipped.clone(), "factors": self._factors.clone(), "steps": self._steps}

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._clipped.copy_(state["clipped"])
        self._factors.copy_(state["factors"])
        self._steps = state["steps"]
