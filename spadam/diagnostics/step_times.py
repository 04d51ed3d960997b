"""How long steps and updates take."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any, ClassVar

from typing_extensions import override

from spadam.diagnostics.diagnostic import Diagnostic, Setting, Step


class StepTimes(Diagnostic):
    """Keeps the times of every step, in ms: their median is reported."""

    metrics: ClassVar = ("time/step_ms", "time/optimizer_ms")
    schedule: ClassVar = "step"
    cost: ClassVar = "two numbers kept"
    streams: ClassVar = False

    @override
    def begin(self, setting: Setting) -> None:
        self._step_ms: list[float] = []
        self._optimizer_ms: list[float] = []

    @override
    def observe(self, step: Step) -> None:
        self._step_ms.append(1e3 * step.seconds)
        self._optimizer_ms.append(1e3 * step.update_seconds)

    @override
    def report(self) -> dict[str, float]:
        if not self._step_ms:
            return {}
        step_ms, optimizer_ms = map(statistics.median, (self._step_ms, self._optimizer_ms))
        return {"time/step_ms": step_ms, "time/optimizer_ms": optimizer_ms}

    @override
    def reset(self) -> None:
        self._step_ms.clear()
        self._optimizer_ms.clear()

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"step_ms": list(self._step_ms), "optimizer_ms": list(self._optimizer_ms)}

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._step_ms, self._optimizer_ms = list(state["step_ms"]), list(state["optimizer_ms"])
