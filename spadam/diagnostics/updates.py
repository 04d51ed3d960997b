"""What one optimizer step did to the weights, and whether eps decided it.

Shapes: L rows, D columns, R rows touched, C columns of a denominator: D, or 1 where a row has one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Change(NamedTuple):
    """One weight matrix in one step."""

    before_LD: Tensor
    """The weights before the step."""
    after_LD: Tensor
    """The weights after it."""
    rows_R: Tensor
    """The rows that the step's gradient touched, int64, distinct."""
    denominator_RC: Tensor | None = None
    """What these rows' updates were divided by, eps included; None for an optimizer without a denominator."""
    eps: float = 0.0
    """The eps in it."""


@torch.no_grad()
def update_rms(changes: Sequence[Change]) -> float:
    """Root mean square of the change of all elements that moved, touched or not; NaN when none did."""
    moved, squares = 0, 0.0
    for change in changes:
        moved += int((change.after_LD != change.before_LD).sum())
        step_LD = change.after_LD - change.before_LD
        squares += float(torch.linalg.vector_norm(step_LD, dtype=torch.float64)) ** 2
    return math.sqrt(squares / moved) if moved else math.nan


@torch.no_grad()
def eps_bound(changes: Sequence[Change]) -> float | None:
    """Share of the moved elements of touched rows of whose denominator eps is more than half.

    In the optimizer's own formula: √v̂ < ε where eps stands after the bias correction, √v < ε where it stands in the
    hat, the row's where a row has one denominator. Rows that move without a gradient (the momentum of a dense Adam) are
    left out: their denominators only decay, and say nothing of what eps does to a gradient. None when no matrix has a
    denominator; NaN when nothing moved.
    """
    moved = bound = 0
    known = [change for change in changes if change.denominator_RC is not None]
    for change in known:
        assert change.denominator_RC is not None
        moved_RD = change.after_LD[change.rows_R] != change.before_LD[change.rows_R]
        moved += int(moved_RD.sum())
        bound += int((moved_RD & (change.denominator_RC < 2 * change.eps)).sum())
    if not known:
        return None
    return bound / moved if moved else math.nan
