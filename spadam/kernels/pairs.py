"""Compiled loops over pairs (sample, latent): see :mod:`spadam.kernels.reference` for what they mean and the shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from spadam.kernels.compiling import compiled

Reals = NDArray[np.floating[Any]]
Whole = NDArray[np.int64]


@compiled(sums=True)
def dot(left_D: Reals, right_D: Reals) -> Any:
    """Sum of products."""
    total = left_D.dtype.type(0)
    for d in range(left_D.shape[0]):
        total += left_D[d] * right_D[d]
    return total


@compiled(parallel=True, sums=True)
def decode(latents_P: Whole, values_P: Reals, offsets_B: Whole, weight_LD: Reals, out_BD: Reals) -> None:
    """Sum of ``value * weight[latent]`` over each sample's pairs."""
    for b in prange(len(offsets_B)):
        end = offsets_B[b + 1] if b + 1 < len(offsets_B) else len(latents_P)
        out_D = out_BD[b]
        out_D[:] = 0
        for p in range(offsets_B[b], end):
            value, row_D = values_P[p], weight_LD[latents_P[p]]
            for d in range(out_D.shape[0]):
                out_D[d] += value * row_D[d]


@compiled(parallel=True)
def sampled_products(left_BD: Reals, weight_LD: Reals, samples_P: Whole, latents_P: Whole, out_P: Reals) -> None:
    """``left[sample] . weight[latent]`` for every pair."""
    for p in prange(len(out_P)):
        out_P[p] = dot(left_BD[samples_P[p]], weight_LD[latents_P[p]])


@compiled()
def group_by_row(latents_P: Whole, ends_L: Whole, rows_L: Whole, starts_L: Whole, order_P: Whole) -> int:
    """Counting sort. ``ends_L``: zeros to work in; rows and starts are filled from the left; how far, is returned."""
    for latent in latents_P:
        ends_L[latent] += 1
    found = end = 0
    for latent in range(len(ends_L)):
        if ends_L[latent] > 0:
            rows_L[found], starts_L[found] = latent, end
            found += 1
            end += ends_L[latent]
            ends_L[latent] = starts_L[found - 1]
    for p in range(len(latents_P)):
        latent = latents_P[p]
        order_P[ends_L[latent]] = p
        ends_L[latent] += 1
    return found


@compiled(parallel=True, sums=True)
def row_gradient(
    values_P: Reals,
    left_BD: Reals,
    more_P: Reals,
    more_BD: Reals,
    samples_P: Whole,
    starts_R: Whole,
    counts_R: Whole,
    order_P: Whole,
    out_RD: Reals,
) -> None:
    """Sum of ``value * left[sample]`` over each row's pairs, and of the same with ``more`` unless it is empty."""
    both = len(more_P) > 0
    for r in prange(len(starts_R)):
        out_D = out_RD[r]
        out_D[:] = 0
        for place in range(starts_R[r], starts_R[r] + counts_R[r]):
            p = order_P[place]
            value, left_D = values_P[p], left_BD[samples_P[p]]
            if both:
                more, more_D = more_P[p], more_BD[samples_P[p]]
                for d in range(out_D.shape[0]):
                    out_D[d] += value * left_D[d] + more * more_D[d]
            else:
                for d in range(out_D.shape[0]):
                    out_D[d] += value * left_D[d]


@compiled()
def row_sum(values_P: Reals, starts_R: Whole, counts_R: Whole, order_P: Whole, out_R: Reals) -> None:
    """Sum of the values of each row's pairs."""
    for r in range(len(starts_R)):
        total = values_P.dtype.type(0)
        for place in range(starts_R[r], starts_R[r] + counts_R[r]):
            total += values_P[order_P[place]]
        out_R[r] = total
