"""Powers of a beta by whole numbers, one for each row, in float64.

They are read from a table of Python's own powers. A vectorised ``pow`` may round its last bit differently from the
scalar one; a row would then depend on how many rows stand beside it, and a row clock would not equal a global one.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

_SMALLEST = 1024


def power(base: float, exponents: Tensor, highest: int) -> Tensor:
    """``base ** n`` for every n of the int64 tensor ``exponents``, 0 <= n <= ``highest``; float64, same shape."""
    size = max(_SMALLEST, 1 << highest.bit_length())
    # a fifth of the time of indexing with brackets
    return _table(base, size, exponents.device).index_select(0, exponents.reshape(-1)).view(exponents.shape)


@lru_cache(maxsize=128)
def _table(base: float, size: int, device: torch.device) -> Tensor:
    """``base ** n`` for n below ``size``; 50 ms and 8 MB at a million."""
    return torch.tensor([base**n for n in range(size)], dtype=torch.float64, device=device)
