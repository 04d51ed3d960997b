"""Compiled loops over the rows of a parameter: `row_update` and `sign_update` of :mod:`spadam.kernels.reference`.

A row is read and written once, and rows are shared out among the threads. No flag is set here: each multiplication,
addition, root and division is rounded by itself, so both twins give the same bits. Only the mean of a row's squares is
a sum, of one row alone: it is taken in float64.

Shapes: L rows, D features, C columns of the second moment (D, or 1), R rows listed. What may be one number or one for
each row updated has that length.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from spadam.kernels.cpu.averaging import from_base, to_base
from spadam.kernels.cpu.compiling import Reals, Whole, compiled
from spadam.kernels.cpu.prefetch import ask_for_row

# Three things keep a row cheap. Division is np.divide: numba's own looks for a zero each time, and is not vectorised.
# All is read before anything is written: m, v and w often stand a whole number of pages apart, where a processor takes
# a read after a write for a read of what was written, and waits. Matrices are handed on with the number of a row: a
# view of the row would be counted in and out of use, by all threads in the same place.


@compiled(parallel=True)
def update(
    weight_LD: Reals,
    m_LD: Reals,
    v_LC: Reals,
    rows: Whole,
    rest: bool,
    grad_RD: Reals,
    factors: Any,
    average: Any,
    step_size: Reals,
    eps: Reals,
    decay1: Reals,
    decay2: Reals,
    scale: Reals,
) -> None:
    """Update the rows listed; ``factors`` are β1, 1-β1, β2 and the gain. ``m_LD`` has no rows where m = g.

    ``rows`` says which rows they are; when it is empty, the gradient's are the first of the parameter's. With ``rest``
    all others are updated as well, with a gradient of 0. ``average`` is an Average, whose lag has no rows where there
    is none.
    """
    _check(rows, len(weight_LD))
    scattered = rest and len(rows) == len(grad_RD)
    places_L = np.full(len(weight_LD) if scattered else 0, -1)  # where each row's gradient stands
    if scattered:
        for r in range(len(rows)):
            places_L[rows[r]] = r
    lag_LD, lead_L1, weight, lead = average
    nothing_1D = np.zeros((1, weight_LD.shape[1]), grad_RD.dtype)
    for u in prange(len(weight_LD) if scattered else len(grad_RD)):
        n = (_of(step_size, u), _of(eps, u), _of(decay1, u), _of(decay2, u), _of(scale, u))
        if not scattered and u + 1 < len(rows) and rows[u + 1] != rows[u] + 1:  # else it comes by itself
            ask_for_row(weight_LD, rows[u + 1])
            ask_for_row(v_LC, rows[u + 1])
            if len(m_LD) > 0:
                ask_for_row(m_LD, rows[u + 1])
            if len(lag_LD) > 0:
                ask_for_row(lag_LD, rows[u + 1])
        if not scattered:
            row = np.int64(u) if len(rows) == 0 else rows[u]
            before_D = np.empty(lag_LD.shape[1], grad_RD.dtype)
            if len(lag_LD) > 0:
                to_base(weight_LD, lag_LD, lead_L1, row, before_D)
            _update_row(weight_LD, m_LD, v_LC, row, grad_RD, np.int64(u), factors, n)
            if len(lag_LD) > 0:
                from_base(weight_LD, lag_LD, lead_L1, row, before_D, weight, lead)
        elif places_L[u] >= 0:
            _update_row(weight_LD, m_LD, v_LC, np.int64(u), grad_RD, places_L[u], factors, n)
        else:
            _update_row(weight_LD, m_LD, v_LC, np.int64(u), nothing_1D, 0, factors, n)


@compiled(parallel=True)
def sign(weight_LD: Reals, rows: Whole, grad_RD: Reals, step_size: Any, average: Any) -> None:
    """Move each element of the rows listed by ``step_size`` against its gradient; lists are as in :func:`update`."""
    _check(rows, len(weight_LD))
    lag_LD, lead_L1, weight, lead = average
    for u in prange(len(grad_RD)):
        row = np.int64(u) if len(rows) == 0 else rows[u]
        if u + 1 < len(rows) and rows[u + 1] != rows[u] + 1:
            ask_for_row(weight_LD, rows[u + 1])
            if len(lag_LD) > 0:
                ask_for_row(lag_LD, rows[u + 1])
        before_D = np.empty(lag_LD.shape[1], grad_RD.dtype)
        if len(lag_LD) > 0:
            to_base(weight_LD, lag_LD, lead_L1, row, before_D)
        _sign_row(weight_LD, row, grad_RD, np.int64(u), step_size)
        if len(lag_LD) > 0:
            from_base(weight_LD, lag_LD, lead_L1, row, before_D, weight, lead)


@compiled()
def _sign_row(weight_LD: Reals, row: Any, grad_RD: Reals, r: Any, size: Any) -> None:
    """Update row ``row`` by the sign of the gradient ``r``."""
    real, nothing = grad_RD.dtype.type, grad_RD.dtype.type(0)
    for d in range(weight_LD.shape[1]):
        g = grad_RD[r, d]
        weight_LD[row, d] += (real(g > nothing) - real(g < nothing)) * -size + g * nothing


@compiled()
def _update_row(
    weight_LD: Reals, m_LD: Reals, v_LC: Reals, row: Any, grad_RD: Reals, r: Any, factors: Any, numbers: Any
) -> None:
    """Update row ``row`` by the gradient ``r``."""
    beta1, gain1, beta2, gain2 = factors
    size, small, fade1, fade2, scale = numbers
    moments, features = len(m_LD) > 0, weight_LD.shape[1]
    if v_LC.shape[1] < features:
        v = v_LC[row, 0] * fade2 * beta2 + _mean_square(grad_RD, r, scale) * gain2
        v_LC[row, 0] = v
        below = np.sqrt(v) + small
        if moments:
            for d in range(features):
                w = weight_LD[row, d]
                m = m_LD[row, d] * fade1 * beta1 + grad_RD[r, d] * scale * gain1
                m_LD[row, d] = m
                weight_LD[row, d] = w - np.divide(m, below) * size
        else:
            for d in range(features):
                weight_LD[row, d] -= np.divide(grad_RD[r, d] * scale, below) * size
    elif moments:
        for d in range(features):
            g, w = grad_RD[r, d] * scale, weight_LD[row, d]
            m = m_LD[row, d] * fade1 * beta1 + g * gain1
            v = v_LC[row, d] * fade2 * beta2 + g * g * gain2
            m_LD[row, d], v_LC[row, d] = m, v
            weight_LD[row, d] = w - np.divide(m, np.sqrt(v) + small) * size
    else:
        for d in range(features):
            g, w = grad_RD[r, d] * scale, weight_LD[row, d]
            v = v_LC[row, d] * fade2 * beta2 + g * g * gain2
            v_LC[row, d] = v
            weight_LD[row, d] = w - np.divide(g, np.sqrt(v) + small) * size


@compiled(sums=True)
def _mean_square(grad_RD: Reals, r: Any, scale: Any) -> Any:
    """The mean of the squares of row ``r`` times ``scale``, in its type."""
    total = 0.0
    for d in range(grad_RD.shape[1]):
        g = np.float64(grad_RD[r, d] * scale)
        total += g * g
    return grad_RD.dtype.type(total / grad_RD.shape[1])


@compiled()
def _of(numbers: Reals, u: Any) -> Any:
    """The number of row ``u``."""
    return numbers[u] if len(numbers) > 1 else numbers[0]


@compiled()
def _check(rows: Whole, length: int) -> None:
    """Raise IndexError for a row that a parameter of so many does not have."""
    for row in rows:
        if row < 0 or row >= length:
            raise IndexError("a row that is listed is not one of the parameter's")
