"""How often the cheap way to a sample's best latents could be proven right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from typing_extensions import override

from spadam.diagnostics.diagnostic import Diagnostic, Setting, Step

_COUNTS = ("searched", "certified", "widenings")


class TopKSearch(Diagnostic):
    """Adds up a step's scalars `searched`, `certified` and `widenings`; nothing where everything is scored."""

    metrics: ClassVar = ("selection/certified", "selection/widenings")
    schedule: ClassVar = "step"
    cost: ClassVar = "three additions of plain numbers"
    streams: ClassVar = True

    @override
    def begin(self, setting: Setting) -> None:
        self._counts = dict.fromkeys(_COUNTS, 0)

    @override
    def observe(self, step: Step) -> None:
        if "searched" in step.scalars:
            for name in _COUNTS:
                self._counts[name] += int(step.scalars[name])

    @override
    def report(self) -> dict[str, float]:
        searched, certified, widenings = (self._counts[name] for name in _COUNTS)
        if not searched:
            return {}
        return {"selection/certified": certified / searched, "selection/widenings": float(widenings)}

    @override
    def reset(self) -> None:
        self._counts = dict.fromkeys(_COUNTS, 0)

    @override
    def state_dict(self) -> dict[str, Any]:
        return dict(self._counts)

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._counts = {name: state[name] for name in _COUNTS}
