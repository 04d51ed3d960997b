"""Decay that waits: moments of rows that hold still are brought up to date when a row is next touched.

Nothing shows before that. The decay made up for is exact: a power, taken in float64. State: "last_step" (L,), the step
to which each row's moments have been brought; in the group "decayed_with", the factors by which they decay in a step.
A state is saved as it stands: to bring it up to date would round it, and so change what follows.

Shapes: L rows of a parameter, R rows updated in a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from spadam.optim.rows.beta_powers import power
from spadam.optim.rows.touched import as_rows


def defer(state: dict[str, Any], rows: int, device: torch.device) -> None:
    """Begin: every row is up to date."""
    state["last_step"] = torch.zeros(rows, dtype=torch.int64, device=device)


def follow(group: dict[str, Any], moments: Mapping[str, float], states: Mapping[Tensor, dict[str, Any]]) -> None:
    """Note with which factors the ``moments`` of a group decay; the steps before a change decayed with the old ones."""
    before, now = group.get("decayed_with"), tuple(moments.values())
    if before is not None and tuple(before) != now:
        for param in group["params"]:
            if states.get(param):
                _catch_up(states[param], dict(zip(moments, before, strict=True)))
    group["decayed_with"] = now


def take_decays(
    state: dict[str, Any], moments: Mapping[str, float], rows_R: Tensor, dtype: torch.dtype
) -> list[Tensor]:
    """For each of ``moments`` what makes up for the steps that the rows have sat out before this one, (R, 1)."""
    step = state["step"]
    silent_R = (step - 1) - state["last_step"].index_select(0, rows_R)
    state["last_step"].index_fill_(0, rows_R, step)
    return [power(beta, silent_R, step)[:, None].to(dtype) for beta in moments.values()]


def decay_of(state: dict[str, Any], beta: float, rows_R: Tensor, dtype: torch.dtype) -> Tensor:
    """What a moment of the rows that decays by ``beta`` is to be multiplied by, as it stands, (R, 1)."""
    silent_R = state["step"] - state["last_step"].index_select(0, rows_R)
    return power(beta, silent_R, state["step"])[:, None].to(dtype)


@torch.no_grad()
def _catch_up(state: dict[str, Any], moments: Mapping[str, float]) -> None:
    """Decay every row's moments up to the present step."""
    silent_L = state["step"] - state["last_step"]
    for name, beta in moments.items():
        as_rows(state[name]).mul_(power(beta, silent_L, state["step"])[:, None].to(state[name].dtype))
    state["last_step"].fill_(state["step"])
