"""Rounding rows to bfloat16 in compiled loops, and measuring how far the rounded row is from its source.

Shapes: N rows, D features, R rows listed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from spadam.kernels.bits import bits_as_float, float_as_bits
from spadam.kernels.compiling import compiled

Array = NDArray[Any]
Whole = NDArray[np.int64]


@compiled(sums=True)
def _round_row(source_D: Any, low_D: Any) -> Any:
    """Round a row to the nearest bfloat16, ties to even; the squared lengths of source, rounded and difference."""
    size = low_size = distance = 0.0
    for d in range(source_D.shape[0]):
        value = source_D[d]
        bits = float_as_bits(value)
        bits = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
        low_D[d] = np.uint16(bits)
        low = np.float64(bits_as_float(bits << np.uint32(16)))
        exact = np.float64(value)
        size += exact * exact
        low_size += low * low
        distance += (exact - low) * (exact - low)
    return size, low_size, distance


@compiled(sums=True)
def _square(source_D: Any) -> Any:
    total = 0.0
    for d in range(source_D.shape[0]):
        total += np.float64(source_D[d]) * np.float64(source_D[d])
    return total


@compiled()
def _bound(length_N: Array, error_N: Array, n: Any, size: Any, distance: Any, known: Any) -> None:
    """What :mod:`spadam.kernels.search` says of one row, ``known``: γ, the slack, and what is least."""
    share, slack, least = known
    length_N[n] = size * slack + least
    error_N[n] = (distance + share * size) * slack + least


@compiled(parallel=True)
def round_rows(source_ND: Array, rows_R: Whole, low_ND: Array, length_N: Array, error_N: Array, known: Any) -> None:
    """Round the rows listed, or all if none is, to bfloat16, and bound them; rows beyond the source's become zeros.

    A NaN may become an infinity; its lengths are NaN either way.
    """
    rows = len(rows_R) if len(rows_R) > 0 else len(low_ND)
    for r in prange(rows):
        n = rows_R[r] if len(rows_R) > 0 else np.int64(r)
        if n < len(source_ND):
            size, low_size, distance = _round_row(source_ND[n], low_ND[n])
            longest = low_size if low_size > size else size
            _bound(length_N, error_N, n, math.sqrt(longest), math.sqrt(distance), known)
        else:
            for d in range(low_ND.shape[1]):
                low_ND[n, d] = 0
            length_N[n] = error_N[n] = 0


@compiled(parallel=True)
def measure_rows(source_ND: Array, rows_R: Whole, length_N: Array, error_N: Array, known: Any) -> None:
    """Bound the rows listed, or all if none is, as they are; rows beyond the source's are zeros."""
    rows = len(rows_R) if len(rows_R) > 0 else len(length_N)
    for r in prange(rows):
        n = rows_R[r] if len(rows_R) > 0 else np.int64(r)
        if n < len(source_ND):
            _bound(length_N, error_N, n, math.sqrt(_square(source_ND[n])), 0.0, known)
        else:
            length_N[n] = error_N[n] = 0
