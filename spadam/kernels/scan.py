"""Compiled loops that find each sample's k best latents from scores known up to a bound.

Shapes: B samples (a multiple of :data:`LANES`, the last ones may be padding), N latents of a block, L latents, D
features, C candidates kept a sample, k winners.

A score s of a latent is known as an interval, ``low <= s <= high``. At least k scores are at least T, the k-th largest
``low`` so far; so a latent whose ``high`` is below T cannot be among the k best, and every other one is a candidate.
:func:`collect` goes through blocks of approximate scores, latents in ascending order; :func:`settle` scores the
candidates exactly as :func:`exhaust` scores everything, and takes the k best: higher scores first, among equal ones the
lower latent, NaN before all numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from spadam.kernels.compiling import compiled
from spadam.kernels.pairs import dot
from spadam.kernels.rounding import number

LANES = 32
"""Samples compared at a time; a whole number of vector registers."""

TILE = 256
"""Samples that one thread goes through together: their thresholds stay in its first cache."""

Array = NDArray[Any]


@compiled()
def kth_largest(values: Array, k: int) -> Any:
    """The k-th largest of ``values``, which are put into another order. None is NaN."""
    left, right, wanted = 0, len(values) - 1, k - 1
    while left < right:
        first, middle, last = values[left], values[(left + right) >> 1], values[right]
        pivot = max(min(first, middle), min(max(first, middle), last))
        i, j = left, right
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if wanted <= j:
            right = j
        elif wanted >= i:
            left = i
        else:
            break
    return values[wanted]


@compiled()
def _off(score: Any, alpha: Any, gamma: Any, base: Any, near: Any, far: Any, part: Any) -> Any:
    """How far a score may be off."""
    return (base + part * abs(score)) + (alpha * near + gamma * far)


@compiled()
def _any_high(
    row: Array, bars: Array, alpha: Array, gamma: Array, bias: Any, base: Any, near: Any, far: Any, part: Any
) -> Any:
    """Whether some sample's ``high`` is not below its bar (NaN is not). A loop without branches: it vectorises."""
    found = np.uint32(0)
    for s in range(LANES):
        score = number(row[s])
        high = score + bias + _off(score, alpha[s], gamma[s], base, near, far, part)
        found |= np.uint32(not (high < bars[s]))
    return found


@compiled()
def _raise_lows(
    best: Array, row: Array, alpha: Array, gamma: Array, bias: Any, base: Any, near: Any, far: Any, part: Any
) -> None:
    """``best`` becomes the larger of itself and ``low``, sample by sample."""
    for s in range(LANES):
        score = number(row[s])
        low = score + bias - _off(score, alpha[s], gamma[s], base, near, far, part)
        best[s] = low if low > best[s] else best[s]


@compiled()
def _first_bars(
    block: Array,
    lane: int,
    k: int,
    bias: Array,
    base: Array,
    near: Array,
    far: Array,
    part: Any,
    alpha: Any,
    gamma: Any,
) -> Array:
    """A bar for each lane before anything was collected: the k-th largest among the best ``low`` of 2k groups.

    The best of a group is one latent, so k of these are k different latents.
    """
    groups = 2 * k
    best = np.full((groups, LANES), -np.inf, dtype=alpha.dtype)
    for n in range(len(block)):
        row = block[n, lane : lane + LANES]
        _raise_lows(best[n % groups], row, alpha, gamma, bias[n], base[n], near[n], far[n], part)
    bars = np.empty(LANES, dtype=alpha.dtype)
    for s in range(LANES):
        bars[s] = kth_largest(best[:, s].copy(), k)
    return bars


@compiled()
def _shrink(low_C: Array, high_C: Array, latent_C: Array, k: int) -> Any:
    """Drop the candidates that cannot win. Returns how many are left, and the bar."""
    bar = kth_largest(low_C.copy(), k)
    kept = 0
    for c in range(len(low_C)):
        if high_C[c] >= bar:
            low_C[kept], high_C[kept], latent_C[kept] = low_C[c], high_C[c], latent_C[c]
            kept += 1
    return kept, bar


@compiled(parallel=True)
def collect(
    block_NB: Array,
    first: int,
    k: int,
    bias_N: Array,
    base_N: Array,
    near_N: Array,
    far_N: Array,
    part: Any,
    alpha_B: Array,
    gamma_B: Array,
    tile: int,
    bar_B: Array,
    count_B: Array,
    low_BC: Array,
    high_BC: Array,
    latent_BC: Array,
) -> None:
    """Collect the candidates of one block of scores without bias; its first latent is number ``first``.

    A score of latent n for sample b is off by at most ``base_n + part |score| + alpha_b near_n + gamma_b far_n``.
    Between blocks ``bar_B`` holds T, and ``count_B`` how many candidates stand in the first columns of the others. A
    sample whose candidates do not fit, or that has a NaN, gets the bar infinity and the count -1. The bits of a
    sample's result depend neither on ``tile`` nor on the samples beside it.
    """
    latents, samples = block_NB.shape
    most = low_BC.shape[1]
    for number_of_tile in prange((samples + tile - 1) // tile):
        start = number_of_tile * tile
        stop = min(samples, start + tile)
        if first == 0 and latents >= 4 * k:
            for lane in range(start, stop, LANES):
                alpha, gamma = alpha_B[lane : lane + LANES], gamma_B[lane : lane + LANES]
                bars = _first_bars(block_NB, lane, k, bias_N, base_N, near_N, far_N, part, alpha, gamma)
                for s in range(LANES):
                    bar_B[lane + s] = max(bar_B[lane + s], bars[s])
        for n in range(latents):
            bias, base, near, far = bias_N[n], base_N[n], near_N[n], far_N[n]
            for lane in range(start, stop, LANES):
                end = lane + LANES
                row, bars = block_NB[n, lane:end], bar_B[lane:end]
                if not _any_high(row, bars, alpha_B[lane:end], gamma_B[lane:end], bias, base, near, far, part):
                    continue
                for b in range(lane, end):
                    score = number(block_NB[n, b])
                    off = _off(score, alpha_B[b], gamma_B[b], base, near, far, part)
                    low, high = score + bias - off, score + bias + off
                    c = count_B[b]
                    if high < bar_B[b] or c < 0:
                        continue
                    if c == most:
                        c, bar_B[b] = _shrink(low_BC[b], high_BC[b], latent_BC[b], k)
                    if c == most or not (low <= high):
                        count_B[b], bar_B[b] = -1, np.inf
                    elif high < bar_B[b]:
                        count_B[b] = c
                    else:
                        low_BC[b, c], high_BC[b, c], latent_BC[b, c] = low, high, first + n
                        count_B[b] = c + 1


@compiled()
def _insert(scores_k: Array, latents_k: Array, filled: int, score: Any, latent: int) -> int:
    """Put a latent into a list of the best, sorted; later latents lose against equal ones. Returns its new length."""
    place = min(filled, len(scores_k) - 1)
    if filled == len(scores_k) and not _beats(score, scores_k[place]):
        return filled
    while place > 0 and _beats(score, scores_k[place - 1]):
        scores_k[place], latents_k[place] = scores_k[place - 1], latents_k[place - 1]
        place -= 1
    scores_k[place], latents_k[place] = score, latent
    return min(filled + 1, len(scores_k))


@compiled()
def _beats(left: Any, right: Any) -> Any:
    """Larger, or NaN against a number."""
    return left > right or (left != left and right == right)


@compiled(parallel=True)
def settle(
    x_BD: Array,
    weight_LD: Array,
    bias_L: Array,
    count_B: Array,
    low_BC: Array,
    high_BC: Array,
    latent_BC: Array,
    scores_Bk: Array,
    latents_Bk: Array,
) -> bool:
    """Score the candidates of every sample whose count is not negative, and keep its k best.

    Returns whether every score lay in its interval; if one did not, what gave the bounds was not these weights.
    """
    k = scores_Bk.shape[1]
    outside = 0
    for b in prange(len(x_BD)):
        if count_B[b] < 0:
            continue
        left, _ = _shrink(low_BC[b, : count_B[b]], high_BC[b, : count_B[b]], latent_BC[b, : count_B[b]], k)
        filled = 0
        for c in range(left):
            latent = latent_BC[b, c]
            score = dot(x_BD[b], weight_LD[latent]) + bias_L[latent]
            if not (low_BC[b, c] <= score <= high_BC[b, c]):
                outside += 1
            filled = _insert(scores_Bk[b], latents_Bk[b], filled, score, latent)
    return outside == 0


@compiled(parallel=True)
def exhaust(x_BD: Array, weight_LD: Array, bias_L: Array, scores_Bk: Array, latents_Bk: Array) -> None:
    """Score every latent and keep each sample's k best: what :func:`settle` must equal, bit by bit."""
    for b in prange(len(x_BD)):
        filled = 0
        for latent in range(len(weight_LD)):
            score = dot(x_BD[b], weight_LD[latent]) + bias_L[latent]
            filled = _insert(scores_Bk[b], latents_Bk[b], filled, score, latent)
