"""The fraction of variance unexplained of the median sample, which a few outliers cannot decide.

FVU divides a sum of squared errors by a sum of squares about the mean. A sample of 30 times the norm of the others
counts 900 times in both: where one in 64 is such, FVU is that of the outliers. Here every sample has its own fraction,
about a centre that outliers do not move either, and the median of them is taken.

Of samples with targets of their own the targets are meant. Shapes: N samples of a split, D features.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Take = Callable[[Tensor], Tensor]
"""Gives the samples (B, D) at int64 indices (B,)."""

CENTRED_BY = 2_000
"""The centre is that of so many first samples of the split's (seeded) order, or of all. They have to be in memory at a
time, and the squares about the centre of more are smaller by less than a thousandth."""

_BLOCK = 1 << 20
"""Features worked on at a time."""


@torch.no_grad()
def squares_about_median(take: Take, rows_N: Tensor, ordered_N: Tensor | None = None) -> Tensor:
    """For every one of the samples ``rows_N`` ‖x - m‖², (N,) float64; m is the median of every feature, (D,).

    ``ordered_N`` are the same samples in the split's order, where ``rows_N`` are in another. Of an even number of
    samples the lower of the two middle values is the median.
    """
    if not len(rows_N):
        return torch.zeros(0, dtype=torch.float64)
    median_D = take((rows_N if ordered_N is None else ordered_N)[:CENTRED_BY]).median(0).values
    size = max(1, _BLOCK // len(median_D))
    blocks = (take(rows_N[start : start + size]) for start in range(0, len(rows_N), size))
    return torch.cat([(x_BD - median_D).square_().sum(1) for x_BD in blocks]).double()


def fvu_median_sample(errors_N: Tensor, squares_N: Tensor) -> float:
    """The median of ``errors_N`` / ``squares_N``; NaN where no sample differs from the centre.

    ``errors_N`` are the samples' squared errors ‖x̂ - x‖², of any floating type. A sample that is the centre itself is
    left out: nothing of it is to be explained.
    """
    differs_N, errors_N = squares_N > 0, errors_N.double()
    fractions, _ = (errors_N[differs_N] / squares_N[differs_N]).sort()
    count = len(fractions)
    return float((fractions[(count - 1) // 2] + fractions[count // 2]) / 2) if count else math.nan
