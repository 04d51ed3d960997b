"""Decoder rows of length 1: put back onto the sphere, and given gradients along it.

Shapes: L latents, E features of a row, R rows listed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def normalise(weight_LE: Tensor, rows_R: Tensor | None = None) -> None:
    """Give the rows (all, or those listed) length 1, in place."""
    rows = slice(None) if rows_R is None else rows_R
    old_RE = weight_LE[rows]
    weight_LE[rows] = old_RE / old_RE.norm(dim=1, keepdim=True).clamp_min(1e-12)


@torch.no_grad()
def project_gradient(weight_LE: nn.Parameter) -> None:
    """Take the part along each row out of its gradient, dense or COO, in place."""
    grad = weight_LE.grad
    if grad is None:
        return
    if grad.is_sparse:
        rows_RE, grad_RE = weight_LE[grad._indices()[0]], grad._values()
    else:
        rows_RE, grad_RE = weight_LE, grad
    grad_RE.sub_((grad_RE * rows_RE).sum(1, keepdim=True) * rows_RE)
