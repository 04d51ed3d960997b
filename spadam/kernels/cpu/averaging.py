"""Schedule-free averaging of one row, from within compiled loops: :class:`spadam.kernels.reference.Average`.

What steps between the two is in the first cache, so that a row is read and written once in memory.

Shapes: L rows, D features.
"""

from __future__ import annotations

from typing import Any

from spadam.kernels.cpu.compiling import Reals, compiled


@compiled()
def to_base(weight_LD: Reals, lag_LD: Reals, lead_L1: Reals, row: Any, before_D: Reals) -> None:
    """Take ``row`` from y to z, and keep a copy."""
    lead = lead_L1[row, 0]
    for d in range(weight_LD.shape[1]):
        z = weight_LD[row, d] - lag_LD[row, d] * lead
        weight_LD[row, d] = z
        before_D[d] = z


@compiled()
def from_base(
    weight_LD: Reals, lag_LD: Reals, lead_L1: Reals, row: Any, before_D: Reals, weight: Any, lead: Any
) -> None:
    """Take ``row``, which has stepped from ``before_D``, to y."""
    lead_L1[row, 0] = lead
    for d in range(weight_LD.shape[1]):
        z = weight_LD[row, d]
        lag = lag_LD[row, d] - (z - before_D[d]) * weight
        lag_LD[row, d] = lag
        weight_LD[row, d] = z + lag * lead
