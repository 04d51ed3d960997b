"""Decay that waits: moments of rows that hold still are brought up to date when a row is next touched.

Nothing shows before that. The decay made up for is exact: a power, taken in float64. State: "last_step" (L,), the step
to which each row's moments have been brought, and "betas", the factors by which they decay in a step.

Shapes: L rows of a parameter, R rows updated in a step.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from spadam.optim.rows.beta_powers import power
from spadam.optim.rows.touched import as_rows


def defer(state: dict[str, Any], moments: dict[str, float], rows: int, device: torch.device) -> None:
    """Begin: ``moments`` names those that decay, each with its factor."""
    state["last_step"] = torch.zeros(rows, dtype=torch.int64, device=device)
    state["betas"] = tuple(moments.values())


def take_decays(state: dict[str, Any], moments: dict[str, float], rows_R: Tensor, dtype: torch.dtype) -> list[Tensor]:
    """For each of ``moments`` what makes up for the steps that the rows have sat out before this one, (R, 1)."""
    step, betas = state["step"], tuple(moments.values())
    if state["betas"] != betas:  # the steps so far decayed with the old ones
        catch_up(state, moments, step - 1)
        state["betas"] = betas
    silent_R = (step - 1) - state["last_step"].index_select(0, rows_R)
    state["last_step"].index_fill_(0, rows_R, step)
    return [power(beta, silent_R, step)[:, None].to(dtype) for beta in betas]


def decay_of(state: dict[str, Any], which: int, rows_R: Tensor, dtype: torch.dtype) -> Tensor:
    """What moment number ``which`` of the rows is to be multiplied by, as they stand, (R, 1)."""
    silent_R = state["step"] - state["last_step"].index_select(0, rows_R)
    return power(state["betas"][which], silent_R, state["step"])[:, None].to(dtype)


@torch.no_grad()
def catch_up(state: dict[str, Any], moments: Iterable[str], step: int) -> None:
    """Decay every row's moments up to ``step``."""
    silent_L = step - state["last_step"]
    for name, beta in zip(moments, state["betas"], strict=True):
        as_rows(state[name]).mul_(power(beta, silent_L, step)[:, None].to(state[name].dtype))
    state["last_step"].fill_(step)
