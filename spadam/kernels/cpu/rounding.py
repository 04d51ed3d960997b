"""Rounding rows in compiled loops, and finding out what their products may be off.

:func:`spadam.kernels.topk_bounds.round_rows` says what is meant, and is the twin. Of each row ``known_4N`` gets the
length, the error, the step and the shift.

Shapes: N rows, D features, R rows listed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from spadam.kernels.cpu.bits import bits_as_float, float_as_bits
from spadam.kernels.cpu.compiling import compiled
from spadam.kernels.topk_bounds import SLACK, SMALLEST, STEPS

Array = NDArray[Any]
Whole = NDArray[np.int64]


@compiled(sums=True)
def _to_bfloat16(source_D: Any, low_D: Any) -> Any:
    """Round a row to the nearest bfloat16, ties to even; the squared lengths of the source and of the difference.

    A NaN may become an infinity; its lengths are NaN either way.
    """
    size = distance = 0.0
    for d in range(source_D.shape[0]):
        value = source_D[d]
        bits = float_as_bits(value)
        bits = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
        low_D[d] = np.uint16(bits)
        low = np.float64(bits_as_float(bits << np.uint32(16)))
        exact = np.float64(value)
        size += exact * exact
        distance += (exact - low) * (exact - low)
    return size, distance


@compiled()
def _reach(source_D: Any, centred: bool) -> Any:
    """The center and the step of a row."""
    least = most = source_D[0]
    for d in range(source_D.shape[0]):
        least = source_D[d] if source_D[d] < least else least
        most = source_D[d] if source_D[d] > most else most
    real = source_D.dtype.type
    center = (least + most) * real(0.5) if centred else real(0)
    step = max(most - center, center - least) / real(STEPS)
    return center, step if step >= SMALLEST else real(0)


@compiled(sums=True)
def _to_int8(source_D: Any, low_D: Any, center: Any, step: Any) -> Any:
    """Round a row to steps; the squared lengths of the source and of the difference, and the sum of the steps."""
    size = distance = 0.0
    total, zero = np.int32(0), source_D.dtype.type(0)
    rate = np.divide(source_D.dtype.type(1), step) if step > 0 else zero
    for d in range(source_D.shape[0]):
        steps = np.rint((source_D[d] - center) * rate)
        steps = steps if steps > -STEPS else source_D.dtype.type(-STEPS)  # NaN too, its lengths tell
        steps = steps if steps < STEPS else source_D.dtype.type(STEPS)
        low_D[d] = np.int8(steps)
        total += np.int32(steps)
        low = np.float64(center) + np.float64(steps) * np.float64(step)
        exact = np.float64(source_D[d])
        size += exact * exact
        distance += (exact - low) * (exact - low)
    return size, distance, total


@compiled(sums=True)
def _square(source_D: Any) -> Any:
    total = 0.0
    for d in range(source_D.shape[0]):
        total += np.float64(source_D[d]) * np.float64(source_D[d])
    return total


@compiled()
def _note(known_4N: Array, n: Any, size: Any, distance: Any, other: Any, step: Any, shift: Any, limits: Any) -> None:
    """Put down what is known of a row, of its length and its distance; ``limits``: γ, and what is least."""
    length = size + distance
    known_4N[0, n] = length * SLACK + limits[1]
    known_4N[1, n] = (distance + limits[0] * length + other) * SLACK + limits[1]
    known_4N[2, n], known_4N[3, n] = step, shift


@compiled(parallel=True)
def to_bfloat16(source_ND: Array, rows_R: Whole, low_ND: Array, known_4N: Array, limits: Any) -> None:
    """Round the rows listed, or all if none is, to the bits of bfloat16; rows beyond the source's become zeros."""
    rows = len(rows_R) if len(rows_R) > 0 else len(low_ND)
    for r in prange(rows):
        n = rows_R[r] if len(rows_R) > 0 else np.int64(r)
        if n < len(source_ND):
            size, distance = _to_bfloat16(source_ND[n], low_ND[n])
            _note(known_4N, n, math.sqrt(size), math.sqrt(distance), 0.0, 1, 0, limits)
        else:
            _clear(low_ND, known_4N, n)


@compiled(parallel=True)
def to_int8(
    source_ND: Array, rows_R: Whole, low_ND: Array, known_4N: Array, samples: bool, limits: Any, unit: float
) -> None:
    """The same to int8; ``unit`` is the type's."""
    rows = len(rows_R) if len(rows_R) > 0 else len(low_ND)
    for r in prange(rows):
        n = rows_R[r] if len(rows_R) > 0 else np.int64(r)
        if n < len(source_ND):
            center, step = _reach(source_ND[n], samples)
            size, distance, total = _to_int8(source_ND[n], low_ND[n], center, step)
            size, distance = math.sqrt(size), math.sqrt(distance)
            of_center = 2 * abs(np.float64(center)) * math.sqrt(source_ND.shape[1])
            shift = np.float64(center) if samples else np.float64(step) * total
            other = 4 * unit * (size + distance + of_center)
            _note(known_4N, n, size, distance, other, step, shift, limits)
        else:
            _clear(low_ND, known_4N, n)


@compiled(parallel=True)
def measure(source_ND: Array, rows_R: Whole, known_4N: Array, limits: Any) -> None:
    """The rows listed, or all if none is, as they are."""
    rows = len(rows_R) if len(rows_R) > 0 else known_4N.shape[1]
    for r in prange(rows):
        n = rows_R[r] if len(rows_R) > 0 else np.int64(r)
        if n < len(source_ND):
            _note(known_4N, n, math.sqrt(_square(source_ND[n])), 0.0, 0.0, 1, 0, limits)
        else:
            _clear(source_ND[:0], known_4N, n)


@compiled(parallel=True)
def check_rows(bits_ND: Array, rows_R: Whole, checks_R: Whole) -> None:
    """A number for each of the rows listed, or of all if none is, from the bits of its elements."""
    for r in prange(len(checks_R)):
        n = rows_R[r] if len(rows_R) > 0 else np.int64(r)
        total = np.int64(0)
        for d in range(bits_ND.shape[1]):
            total += np.int64(bits_ND[n, d]) * np.int64(2 * d + 1)
        checks_R[r] = total


@compiled()
def _clear(low_ND: Array, known_4N: Array, n: Any) -> None:
    """Padding: a row of zeros."""
    if len(low_ND) > 0:
        for d in range(low_ND.shape[1]):
            low_ND[n, d] = 0
    known_4N[0, n] = known_4N[1, n] = known_4N[3, n] = 0
    known_4N[2, n] = 1
