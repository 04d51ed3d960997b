"""Powers of a beta by whole numbers, one for each row, in float64.

They are read from tables of Python's own powers. A vectorised ``pow`` may round its last bit differently from the
scalar one; a row would then depend on how many rows stand beside it, and a row clock would not equal a global one.

A power is the product of one number from each table, βⁿ = β^(n mod 4096) · β^(4096 · (n div 4096)) and so on: a
schedule that moves a beta at every step pays for one short table or two, however many steps there have been.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

_BITS = 12
"""Of an exponent, read from one table."""


def power(base: float, exponents: Tensor, highest: int) -> Tensor:
    """``base ** n`` for every n of the int64 tensor ``exponents``, 0 <= n <= ``highest``; float64, same shape.

    Exact as Python is below 4096, and within a rounding for each further table above.
    """
    flat = exponents.reshape(-1)
    if not highest >> _BITS:
        # a fifth of the time of indexing with brackets
        return _table(base, 0, exponents.device).index_select(0, flat).view(exponents.shape)
    found = torch.ones(flat.shape, dtype=torch.float64, device=flat.device)
    for shift in range(0, highest.bit_length(), _BITS):
        digits = (flat >> shift) & ((1 << _BITS) - 1)
        found *= _table(base, shift, flat.device).index_select(0, digits)
    return found.view(exponents.shape)


@lru_cache(maxsize=128)
def _table(base: float, shift: int, device: torch.device) -> Tensor:
    """``base ** (n << shift)`` for n below 4096; half a millisecond and 32 kB."""
    return torch.tensor([base ** (n << shift) for n in range(1 << _BITS)], dtype=torch.float64, device=device)
