"""Numbers too small to be normal, in compiled loops: whether they become zero is a setting of each thread.

``torch.set_flush_denormal`` sets it for the thread that calls it, and threads take it over when they are made. The
threads of compiled loops may be older than a training that sets it; they are told here.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any, cast

import numba.extending
from llvmlite import ir
from numba import get_num_threads, prange, types

from spadam.kernels import flushes_denormals
from spadam.kernels.cpu.compiling import compiled, follow_torch

_FLUSH = 0x8040
"""Of the control register of SSE: results and operands that are denormal count as zero."""

_intrinsic = cast(Callable[[Callable[..., Any]], Any], numba.extending.intrinsic)


@_intrinsic
def _set_flush(_: Any, on: Any) -> Any:
    """Set it for the calling thread."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        place = builder.alloca(word)
        action = ir.FunctionType(ir.VoidType(), [pointer])
        read, write = (
            builder.module.declare_intrinsic(f"llvm.x86.sse.{n}", fnty=action) for n in ("stmxcsr", "ldmxcsr")
        )
        builder.call(read, [builder.bitcast(place, pointer)])
        cleared = builder.and_(builder.load(place), ir.Constant(word, 0xFFFFFFFF ^ _FLUSH))
        flush = builder.select(args[0], ir.Constant(word, _FLUSH), ir.Constant(word, 0))
        builder.store(builder.or_(cleared, flush), place)
        builder.call(write, [builder.bitcast(place, pointer)])
        return context.get_dummy_value()

    return types.void(types.boolean), generate


@compiled(parallel=True)
def _set_flush_everywhere(on: bool, threads: int) -> None:
    for _ in prange(threads):
        _set_flush(on)


def flush_denormals() -> None:
    """Let the threads of compiled loops do what the calling thread does. Does nothing on other processors than x86."""
    if platform.machine() in ("x86_64", "AMD64"):
        follow_torch()
        _set_flush_everywhere(flushes_denormals(), get_num_threads())
