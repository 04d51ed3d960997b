"""How often the online probe was right, before its step on each batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from typing_extensions import override

from spadam.diagnostics.diagnostic import Diagnostic, Setting, Step


class OnlineAccuracy(Diagnostic):
    """Counts the samples that the probe had right: the scalar `correct` of a step, (); without it there is no probe."""

    metrics: ClassVar = ("probe/online_accuracy",)
    schedule: ClassVar = "step"
    cost: ClassVar = "one addition"
    streams: ClassVar = True

    @override
    def begin(self, setting: Setting) -> None:
        self._correct = torch.zeros((), dtype=torch.int64, device=setting.device)
        self._samples = 0

    @override
    def observe(self, step: Step) -> None:
        if "correct" in step.scalars:
            self._correct += step.scalars["correct"]
            self._samples += step.samples

    @override
    def report(self) -> dict[str, float]:
        return {"probe/online_accuracy": int(self._correct) / self._samples} if self._samples else {}

    @override
    def reset(self) -> None:
        self._correct.zero_()
        self._samples = 0

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"correct": self._correct.clone(), "samples": self._samples}

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._correct.copy_(state["correct"])
        self._samples = state["samples"]
