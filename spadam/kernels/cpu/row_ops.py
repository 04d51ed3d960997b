"""The update of rows on a CPU: :func:`spadam.kernels.reference.row_update` says what is meant, and is the twin.

Shapes: L rows of a parameter, D features, R rows listed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from spadam.kernels import reference
from spadam.kernels.cpu import rows
from spadam.kernels.cpu.compiling import TYPES, follow_torch, listed_rows
from spadam.kernels.reference import Average


def row_update(
    param_LD: Tensor,
    m_LD: Tensor | None,
    v_LD: Tensor,
    rows_R: Tensor | None,
    grad_RD: Tensor,
    *,
    beta1: float,
    beta2: float,
    step_size: float | Tensor,
    eps: float | Tensor,
    decay1: Tensor | None = None,
    decay2: Tensor | None = None,
    gain2: float | None = None,
    scale: Tensor | None = None,
    rest: bool = False,
    average: Average | None = None,
) -> None:
    """One step of Adam on the listed rows, in place; the reference takes what the loops do not."""
    updated = param_LD.shape[0] if rest else grad_RD.shape[0]
    changed = (param_LD, v_LD) if m_LD is None else (param_LD, v_LD, m_LD)
    averaged = () if average is None else average[:2]
    numbers = (step_size, eps, decay1, decay2, scale)
    if not (_fit(changed + averaged, rows_R, grad_RD) and all(_fits(x, param_LD.dtype, updated) for x in numbers)):
        reference.row_update(
            param_LD,
            m_LD,
            v_LD,
            rows_R,
            grad_RD,
            beta1=beta1,
            beta2=beta2,
            step_size=step_size,
            eps=eps,
            decay1=decay1,
            decay2=decay2,
            gain2=gain2,
            scale=scale,
            rest=rest,
            average=average,
        )
        return
    if not updated:
        return
    weight, v, *moments = (x.detach().numpy() for x in changed)
    real = weight.dtype.type
    follow_torch(updated * weight.shape[1])
    rows.update(
        weight,
        moments[0] if moments else np.empty((0, 0), real),
        v,
        listed_rows(rows_R),
        rest,
        grad_RD.detach().contiguous().numpy(),
        (real(beta1), real(1 - beta1), real(beta2), real(1 - beta2 if gain2 is None else gain2)),
        _average(average, real),
        *(_array(x, real) for x in numbers),
    )
    torch.autograd.graph.increment_version(
        changed + averaged
    )  # torch does not see what is written to its memory from outside


def sign_update(
    param_LD: Tensor, rows_R: Tensor | None, grad_RD: Tensor, step_size: float, average: Average | None = None
) -> None:
    """``w - step_size * sign(g)`` in the listed rows, in place; the reference takes what the loop does not."""
    changed = (param_LD,) if average is None else (param_LD, *average[:2])
    if not _fit(changed, rows_R, grad_RD):
        reference.sign_update(param_LD, rows_R, grad_RD, step_size, average)
    elif grad_RD.shape[0]:
        weight = param_LD.detach().numpy()
        real = weight.dtype.type
        follow_torch(grad_RD.numel())
        gradient = grad_RD.detach().contiguous().numpy()
        rows.sign(weight, listed_rows(rows_R), gradient, real(step_size), _average(average, real))
        torch.autograd.graph.increment_version(changed)


def _average(average: Average | None, real: Any) -> tuple[Any, ...]:
    if average is None:
        return (np.empty((0, 0), real), np.empty((0, 0), real), real(0), real(0))
    lag_LD, lead_L1, weight, lead = average
    return (lag_LD.detach().numpy(), lead_L1.detach().numpy(), real(weight), real(lead))


def _fit(changed: tuple[Tensor, ...], rows_R: Tensor | None, grad_RD: Tensor) -> bool:
    """Whether the loops take these tensors: of one type, their rows one after the other, and of shapes that agree."""
    weight_LD, *others = changed
    (length, features), dtype, (listed, width) = weight_LD.shape, weight_LD.dtype, grad_RD.shape
    return (
        dtype in TYPES
        and grad_RD.dtype is dtype
        and width == features
        and all(x.shape[1] in (1, features) for x in others)
        and all(x.dtype is dtype and x.shape[0] == length and x.is_contiguous() for x in changed)
        and listed == (length if rows_R is None else rows_R.shape[0])
        and (rows_R is None or (rows_R.dtype is torch.int64 and rows_R.is_contiguous()))
    )


def _fits(number: float | Tensor | None, dtype: torch.dtype, updated: int) -> bool:
    return not isinstance(number, Tensor) or (number.dtype is dtype and number.numel() in (1, updated))


def _array(number: float | Tensor | None, real: Any) -> Any:
    """The number, or one for each row, rounded as torch rounds it; 1 for None."""
    if isinstance(number, Tensor):
        return number.detach().reshape(-1).contiguous().numpy()
    return np.array((1 if number is None else number,), real)
