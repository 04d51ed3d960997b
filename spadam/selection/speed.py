"""Whether products of bfloat16 are worth their trouble on this processor."""

from __future__ import annotations

import time
from functools import cache

import torch

_ROWS, _FEATURES, _SAMPLES = 1024, 784, 128
_TIMES = 7

_WORTH = 1.25
"""So much faster must they be. Where a processor has them they are 2-3 times as fast, where not, slower."""


def fast_bf16() -> bool:
    """Whether a product of bfloat16 is clearly faster than one of float32, with torch's number of threads.

    Timed once per process: about 10 ms. Nothing but speed depends on the answer.
    """
    return _fast_bf16(torch.get_num_threads())


@cache
def _fast_bf16(threads: int) -> bool:
    left, right = torch.ones(_ROWS, _FEATURES), torch.ones(_FEATURES, _SAMPLES)
    exact = _seconds(left, right)
    return _WORTH * _seconds(left.bfloat16(), right.bfloat16()) < exact


def _seconds(left: torch.Tensor, right: torch.Tensor) -> float:
    """The fastest of several products: what else the machine does only adds."""
    out = torch.empty(_ROWS, _SAMPLES, dtype=left.dtype)
    taken = []
    for _ in range(_TIMES):
        start = time.perf_counter()
        torch.mm(left, right, out=out)
        taken.append(time.perf_counter() - start)
    return min(taken)
