"""Whether products of rounded rows are worth their trouble on this processor, and of which."""

from __future__ import annotations

import time
from functools import cache

import torch

from spadam.kernels.topk_bounds import product

_ROWS, _FEATURES, _SAMPLES = 1024, 784, 128
_TIMES = 7

_WORTH = 1.25
"""So much faster must they be. Where a processor has them they are 2-5 times as fast, where not, slower."""


def fast_type() -> torch.dtype | None:
    """int8 or bfloat16, whichever has the faster products; None when neither is clearly faster than float32.

    Timed once per process, with torch's number of threads: about 10 ms. Nothing but speed depends on the answer.
    """
    return _fast_type(torch.get_num_threads())


@cache
def _fast_type(threads: int) -> torch.dtype | None:
    exact = _seconds(torch.float32, torch.inf)
    taken = {dtype: _seconds(dtype, exact) for dtype in (torch.int8, torch.bfloat16)}
    best = min(taken, key=lambda dtype: taken[dtype])
    return best if _WORTH * taken[best] < exact else None


def _seconds(dtype: torch.dtype, enough: float) -> float:
    """The fastest of several products: what else the machine does only adds. One is enough if it is far too slow.

    Infinite where torch has no such product: that of int8 is not part of its public interface.
    """
    left, right = torch.ones(_ROWS, _FEATURES, dtype=dtype), torch.ones(_SAMPLES, _FEATURES, dtype=dtype)
    out = torch.empty(_ROWS, _SAMPLES, dtype=torch.int32 if dtype == torch.int8 else dtype)
    taken: list[float] = []
    while len(taken) < _TIMES and not (taken and taken[0] > 9 * enough):
        start = time.perf_counter()
        try:
            product(left, right, out)
        except (AttributeError, RuntimeError):
            return torch.inf
        taken.append(time.perf_counter() - start)
    return min(taken)
