"""Checkpoints of runs that an older release began, brought into today's layout.

Before there were diagnostics, telemetry's state held everything that it counted under keys of its own, and the room of
the top-k search with it. What stands there is an autoencoder's, whose tables were all touched alike.
"""

from __future__ import annotations

from typing import Any

_TABLES = ("encoder_weight", "decoder_weight")


def modernise(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """``checkpoint`` as it would have been saved today; one of today is returned as it is."""
    old = checkpoint.get("callbacks", {}).get("Telemetry")
    if old is None or "usage" not in old:
        return checkpoint
    usage, ((searched, certified, widenings), room) = old["usage"], old["selection"]
    tables = [name for name in _TABLES if f"autoencoder.{name}" in checkpoint["state_dict"]]
    diagnostics = {
        "LossStream": {"sum": old["loss_sum"], "steps": usage["steps"]},
        "OnlineAccuracy": {"correct": old["correct"], "samples": old["labelled"]},
        "TopKSearch": {"searched": searched, "certified": certified, "widenings": widenings},
        "WeightUpdates": old["looks"],
        "RowUsages": {"tables": dict.fromkeys(tables, usage), "code": True},
        "StepTimes": {name: old[name] for name in ("step_ms", "optimizer_ms")},
    }
    kept = {name: old[name] for name in ("evaluations", "arrays", "seconds")}
    callbacks = {**checkpoint["callbacks"], "Telemetry": {**kept, "diagnostics": diagnostics}}
    return {**checkpoint, "callbacks": callbacks, "selector_room": room}
