"""Checkpoints of runs that an older release began, brought into today's layout.

Signum without momentum was once trained by Signum, and is SignSGD now.

Before there were diagnostics, telemetry's state held everything that it counted under keys of its own, and the room of
the top-k search with it. What stands there is an autoencoder's, whose tables were all touched alike.
"""

from __future__ import annotations

from typing import Any

_TABLES = ("encoder_weight", "decoder_weight")


def modernise(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """``checkpoint`` as it would have been saved today; one of today is returned as it is."""
    return _with_diagnostics(_with_signs(checkpoint))


def _with_signs(checkpoint: dict[str, Any]) -> dict[str, Any]:
    optimizers = checkpoint.get("optimizer_states", [])
    if not any(_is_sign(group) for optimizer in optimizers for group in optimizer["param_groups"]):
        return checkpoint
    return {**checkpoint, "optimizer_states": [_as_sign_sgd(optimizer) for optimizer in optimizers]}


def _is_sign(group: dict[str, Any]) -> bool:
    return group.get("optimizer") == "Signum" and group["momentum"] == 0


def _as_sign_sgd(optimizer: dict[str, Any]) -> dict[str, Any]:
    kept = [{name: value for name, value in group.items() if name != "momentum"} for group in optimizer["param_groups"]]
    states = {
        number: {name: value for name, value in state.items() if name != "exp_avg"}
        for number, state in optimizer["state"].items()
    }
    return {**optimizer, "state": states, "param_groups": [{**group, "optimizer": "SignSGD"} for group in kept]}


def _with_diagnostics(checkpoint: dict[str, Any]) -> dict[str, Any]:
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
