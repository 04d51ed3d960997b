"""bfloat16 in compiled loops: its bits as uint16, what they stand for, and how far a rounded row is from its source.

Shapes: N rows, D features, R rows listed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import numba.extending
import numpy as np
from llvmlite import ir
from numba import prange, types
from numpy.typing import NDArray

from spadam.kernels.compiling import compiled

intrinsic = cast(Callable[[Callable[..., Any]], Any], numba.extending.intrinsic)


@intrinsic
def _bits_as_float(_: Any, bits: Any) -> Any:
    """The float32 with these bits (uint32)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.uint32), generate


@intrinsic
def _float_as_bits(_: Any, value: Any) -> Any:
    """The bits (uint32) of a float32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32))

    return types.uint32(types.float32), generate


@intrinsic
def number(_: Any, value: Any) -> Any:
    """``value`` itself, or what it stands for where it holds the bits of a bfloat16 (uint16)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if value != types.uint16:
            return args[0]
        wide = ir.IntType(32)
        return builder.bitcast(builder.shl(builder.zext(args[0], wide), ir.Constant(wide, 16)), ir.FloatType())

    return (types.float32 if value == types.uint16 else value)(value), generate


@compiled(sums=True)
def _round_row(source_D: Any, low_D: Any) -> Any:
    """Round a row to the nearest bfloat16, ties to even; the squared lengths of source, rounded and difference."""
    size = low_size = distance = 0.0
    for d in range(source_D.shape[0]):
        value = source_D[d]
        bits = _float_as_bits(value)
        bits = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
        low_D[d] = np.uint16(bits)
        low = np.float64(_bits_as_float(bits << np.uint32(16)))
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


@compiled(parallel=True)
def round_rows(
    source_ND: NDArray[np.float32],
    rows_R: NDArray[np.int64],
    low_ND: NDArray[np.uint16],
    size_N: NDArray[np.float64],
    low_size_N: NDArray[np.float64],
    distance_N: NDArray[np.float64],
) -> None:
    """Round the rows listed to bfloat16 and measure, in float64: |source|, |rounded| and |source - rounded|.

    A NaN may become an infinity; its lengths are NaN either way.
    """
    for r in prange(len(rows_R)):
        n = rows_R[r]
        size, low_size, distance = _round_row(source_ND[n], low_ND[n])
        size_N[n], low_size_N[n], distance_N[n] = math.sqrt(size), math.sqrt(low_size), math.sqrt(distance)


@compiled(parallel=True)
def measure_rows(source_ND: NDArray[Any], rows_R: NDArray[np.int64], size_N: NDArray[np.float64]) -> None:
    """The lengths of the rows listed, in float64."""
    for r in prange(len(rows_R)):
        size_N[rows_R[r]] = math.sqrt(_square(source_ND[rows_R[r]]))
