"""Compiled loops over pairs (sample, latent): see :mod:`spadam.kernels.reference` for what they mean and the shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from spadam.kernels.cpu.compiling import compiled

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
    """Sum of ``value * weight[latent]`` over each sample's pairs, four of them in one pass over the sum."""
    for b in prange(len(offsets_B)):
        p, end = offsets_B[b], offsets_B[b + 1] if b + 1 < len(offsets_B) else len(latents_P)
        out_D = out_BD[b]
        out_D[:] = 0
        while p + 4 <= end:
            v0, v1, v2, v3 = values_P[p], values_P[p + 1], values_P[p + 2], values_P[p + 3]
            row0_D, row1_D = weight_LD[latents_P[p]], weight_LD[latents_P[p + 1]]
            row2_D, row3_D = weight_LD[latents_P[p + 2]], weight_LD[latents_P[p + 3]]
            for d in range(out_D.shape[0]):
                out_D[d] += (v0 * row0_D[d] + v1 * row1_D[d]) + (v2 * row2_D[d] + v3 * row3_D[d])
            p += 4
        while p < end:
            value, row_D = values_P[p], weight_LD[latents_P[p]]
            for d in range(out_D.shape[0]):
                out_D[d] += value * row_D[d]
            p += 1


@compiled(parallel=True)
def sampled_products(latents_P: Whole, offsets_B: Whole, left_BD: Reals, weight_LD: Reals, out_P: Reals) -> None:
    """``left[sample] . weight[latent]`` for every pair."""
    for b in prange(len(offsets_B)):
        end = offsets_B[b + 1] if b + 1 < len(offsets_B) else len(latents_P)
        for p in range(offsets_B[b], end):
            out_P[p] = dot(left_BD[b], weight_LD[latents_P[p]])


@compiled()
def group_by_row(
    latents_P: Whole,
    offsets_B: Whole,
    ends_L: Any,
    rows_R: Whole,
    starts_R: Whole,
    counts_R: Whole,
    order_P: Whole,
    samples_P: Whole,
) -> int:
    """Counting sort. ``ends_L``: zeros to work in; what is of rows is filled from the left; how far, is returned."""
    for latent in latents_P:
        ends_L[latent] += 1
    found = end = 0
    for latent in range(len(ends_L)):
        if ends_L[latent] > 0:
            rows_R[found], starts_R[found], counts_R[found] = latent, end, ends_L[latent]
            end += ends_L[latent]
            ends_L[latent] = starts_R[found]
            found += 1
    for b in range(len(offsets_B)):
        stop = offsets_B[b + 1] if b + 1 < len(offsets_B) else len(latents_P)
        for p in range(offsets_B[b], stop):
            place = ends_L[latents_P[p]]
            order_P[place], samples_P[place] = p, b
            ends_L[latents_P[p]] = place + 1
    return found


@compiled(parallel=True, sums=True)
def row_gradient(
    values_P: Reals,
    left_BD: Reals,
    more_P: Reals,
    more_BD: Reals,
    starts_R: Whole,
    counts_R: Whole,
    order_P: Whole,
    samples_P: Whole,
    out_RD: Reals,
) -> None:
    """Sum of ``value * left[sample]`` over each row's pairs, and of the same with ``more`` unless it is empty."""
    both = len(more_P) > 0
    for r in prange(len(starts_R)):
        out_D = out_RD[r]
        out_D[:] = 0
        place, end = starts_R[r], starts_R[r] + counts_R[r]
        while both and place + 2 <= end:  # two pairs in one pass over the sum
            p0, p1, b0, b1 = order_P[place], order_P[place + 1], samples_P[place], samples_P[place + 1]
            v0, v1, w0, w1 = values_P[p0], values_P[p1], more_P[p0], more_P[p1]
            left0_D, left1_D, more0_D, more1_D = left_BD[b0], left_BD[b1], more_BD[b0], more_BD[b1]
            for d in range(out_D.shape[0]):
                out_D[d] += (v0 * left0_D[d] + w0 * more0_D[d]) + (v1 * left1_D[d] + w1 * more1_D[d])
            place += 2
        while place < end:
            p, b = order_P[place], samples_P[place]
            value, left_D = values_P[p], left_BD[b]
            if both:
                more, more_D = more_P[p], more_BD[b]
                for d in range(out_D.shape[0]):
                    out_D[d] += value * left_D[d] + more * more_D[d]
            else:
                for d in range(out_D.shape[0]):
                    out_D[d] += value * left_D[d]
            place += 1


@compiled()
def row_sum(values_P: Reals, starts_R: Whole, counts_R: Whole, order_P: Whole, out_R: Reals) -> None:
    """Sum of the values of each row's pairs."""
    for r in range(len(starts_R)):
        total = values_P.dtype.type(0)
        for place in range(starts_R[r], starts_R[r] + counts_R[r]):
            total += values_P[order_P[place]]
        out_R[r] = total
