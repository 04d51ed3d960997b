"""Summing a row's gradients until enough samples stand behind them (`row_accumulate`), and the `active` sample.

Shapes: L rows, D features, R rows touched in this step, of which some are due.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from spadam.kernels.reference import Average
from spadam.optim.rows.touched import Listing


class Due(NamedTuple):
    """What is to be updated now."""

    rows_R: Tensor
    """int64, distinct, ascending."""
    grad_RD: Tensor
    """Their gradients."""
    scale_R1: Tensor | None
    """What these are to be multiplied by, (R, 1); None: nothing."""
    average: Average | None = None
    """The schedule-free averaging within which they are updated: every row optimizer that holds hands it on."""

    def rows_of(self, rows: int) -> Tensor | None:
        """The rows as `row_update` wants them: None for all there are, which need not be gathered then."""
        return None if self.rows_R.shape[0] == rows else self.rows_R


def begin_sums(like_RD: Tensor, rows: int) -> dict[str, Tensor]:
    """The state of rows of which nothing waits yet: their counts, and sums of gradients like ``like_RD``."""
    return {
        "pending": torch.zeros(rows, dtype=torch.int64, device=like_RD.device),
        "pending_grad": like_RD.new_zeros(rows, like_RD.shape[1]),
    }


def take_due(listing: Listing, state: dict[str, Any], samples: int, rows: int, *, active: bool) -> Due:
    """The rows to be updated now, and their gradients.

    With ``samples`` N = 1 these are the rows touched. Else their gradients are added to ``state["pending_grad"]`` and
    their counts to ``state["pending"]``; a row whose count has come to N is due with its sum, and starts anew.

    ``active`` gives the mean over the n samples in which the row was on, not over all B of the batch: g B/n, or over
    several batches Σ g B / Σ n.
    """
    rows_R, grad_RD, counts_R, batch = listing
    if samples == 1 and "pending" not in state:
        if not active:
            return Due(rows_R, grad_RD, None)
        assert counts_R is not None
        return Due(rows_R, grad_RD, (batch / counts_R.double())[:, None].to(grad_RD.dtype))
    assert counts_R is not None
    if "pending" not in state:
        state |= begin_sums(grad_RD, rows)
    pending_L, sum_LD = state["pending"], state["pending_grad"]
    total_R = pending_L[rows_R] + counts_R
    sum_RD = sum_LD.index_select(0, rows_R) + (grad_RD * batch if active else grad_RD)
    due_R = total_R >= samples
    pending_L[rows_R] = total_R.masked_fill(due_R, 0)
    sum_LD.index_copy_(0, rows_R, sum_RD.masked_fill(due_R[:, None], 0))
    due_RD = sum_RD[due_R]
    if active:
        due_RD = due_RD / total_R[due_R][:, None]
    return Due(rows_R[due_R], due_RD, None)
