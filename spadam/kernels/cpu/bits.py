"""Bits in compiled loops: a float32 as its bits, the numbers that products come in, and sets of lanes.

Numba's own operators make 64 bits of everything; these keep 32, so that a loop over lanes becomes vector instructions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numba.extending
from llvmlite import ir
from numba import types

intrinsic = cast(Callable[[Callable[..., Any]], Any], numba.extending.intrinsic)

_WORD = ir.IntType(32)


@intrinsic
def bits_as_float(_: Any, bits: Any) -> Any:
    """The float32 with these bits (uint32)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.uint32), generate


@intrinsic
def float_as_bits(_: Any, value: Any) -> Any:
    """The bits (uint32) of a float32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], _WORD)

    return types.uint32(types.float32), generate


@intrinsic
def number(_: Any, value: Any) -> Any:
    """``value`` as a floating-point number; uint16 are the bits of a bfloat16."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if value == types.uint16:
            return builder.bitcast(builder.shl(builder.zext(args[0], _WORD), ir.Constant(_WORD, 16)), ir.FloatType())
        return builder.sitofp(args[0], ir.FloatType()) if value == types.int32 else args[0]

    return (types.float32 if isinstance(value, types.Integer) else value)(value), generate


@intrinsic
def with_lane(_: Any, lanes: Any, lane: Any, condition: Any) -> Any:
    """The set ``lanes`` (uint32) with number ``lane`` added to it where the condition holds."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        one = builder.zext(builder.trunc(args[2], ir.IntType(1)), _WORD)
        return builder.or_(args[0], builder.shl(one, builder.trunc(args[1], _WORD)))

    return types.uint32(types.uint32, types.int64, types.boolean), generate


@intrinsic
def first_lane(_: Any, lanes: Any) -> Any:
    """The lowest number in a set that is not empty."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.zext(builder.cttz(args[0], ir.Constant(ir.IntType(1), 1)), ir.IntType(64))

    return types.int64(types.uint32), generate


@intrinsic
def without_first_lane(_: Any, lanes: Any) -> Any:
    """The set without its lowest number."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.and_(args[0], builder.sub(args[0], ir.Constant(_WORD, 1)))

    return types.uint32(types.uint32), generate
