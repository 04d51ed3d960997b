"""Compiled loops that find each sample's k best latents from scores known up to a bound.

Shapes: B samples, P samples and padding (a multiple of :data:`LANES`), N latents of a block, L latents, D features, C
candidates kept a sample, k winners.

A score s of a latent is known as an interval, ``low <= s <= high``. At least k scores are at least T, the k-th largest
``low`` so far; so a latent whose ``high`` is below T cannot be among the k best, and every other one is a candidate.
:func:`search_block` collects these from blocks of approximate scores, latents in ascending order, and in the end scores
them exactly as :func:`exhaust` scores everything: the k best are those with higher scores, among equal ones the lower
latent, NaN before all numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from spadam.kernels.cpu.bits import first_lane, number, with_lane, without_first_lane
from spadam.kernels.cpu.compiling import compiled
from spadam.kernels.cpu.pairs import dot

LANES = 32
"""Samples compared at a time; a whole number of vector registers."""

TILE = 256
"""Samples that one thread goes through together: their thresholds stay in its first cache."""

OPEN, UNSOUND = -1, -2
"""In place of a count of candidates."""

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


# Vectors are handed on whole, with the number of the first lane: a view of some lanes would be counted in and out of
# use, by all threads in the same place. Numbers that cannot be negative need not be looked at for that.


@compiled()
def _interval(raw: Any, b: Any, known_4P: Array, latent: Any) -> Any:
    """The score by product ``raw`` of sample b, and how far it may be off; ``latent`` is what :func:`_of` gives."""
    bias, base, share, length, error, step, total = latent
    score = number(raw) * known_4P[np.uintp(2), b] * step + known_4P[np.uintp(3), b] * total
    off = (base + share * abs(score)) + (known_4P[np.uintp(1), b] * length + known_4P[np.uintp(0), b] * error)
    return score + bias, off


@compiled()
def _of(n: Any, bias_L: Array, known_4L: Array, shares: Any) -> Any:
    """What the interval of a score needs of latent n."""
    base = abs(bias_L[n]) * shares[1] + shares[2]
    return bias_L[n], base, shares[0], known_4L[0, n], known_4L[1, n], known_4L[2, n], known_4L[3, n]


@compiled()
def _high_lanes(block_NP: Array, n: Any, lane: Any, bar_P: Array, known_4P: Array, latent: Any) -> Any:
    """The samples whose ``high`` is not below their bar (NaN is not). A loop without branches: it vectorises."""
    found = np.uint32(0)
    for s in range(LANES):
        b = np.uintp(lane) + np.uintp(s)
        score, off = _interval(block_NP[np.uintp(n), b], b, known_4P, latent)
        found = with_lane(found, s, not (score + off < bar_P[b]))
    return found


@compiled()
def _first_bars(
    block_NP: Array, lane: Any, k: int, bias_L: Array, known_4L: Array, shares: Any, known_4P: Array, bar_P: Array
) -> None:
    """Bars before anything was collected: the k-th largest among the best ``low`` of 2k groups.

    The best of a group is one latent, so k of these are k different latents.
    """
    groups = 2 * k
    best = np.full((groups, LANES), -np.inf, dtype=bar_P.dtype)
    for n in range(len(block_NP)):
        latent, group = _of(n, bias_L, known_4L, shares), np.uintp(n % groups)
        for s in range(LANES):
            b = np.uintp(lane) + np.uintp(s)
            score, off = _interval(block_NP[np.uintp(n), b], b, known_4P, latent)
            best[group, np.uintp(s)] = max(score - off, best[group, np.uintp(s)])
    for s in range(LANES):
        bar_P[lane + s] = max(bar_P[lane + s], kth_largest(best[:, s].copy(), k))


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
def search_block(
    block_NP: Array,
    first: int,
    last: bool,
    k: int,
    x_BD: Array,
    weight_LD: Array,
    bias_L: Array,
    known_4L: Array,
    shares: Any,
    known_4P: Array,
    tile: int,
    bar_P: Array,
    count_P: Array,
    low_PC: Array,
    high_PC: Array,
    latent_PC: Array,
    scores_Bk: Array,
    latents_Bk: Array,
) -> None:
    """Collect the candidates of one block of products, and settle with the ``last`` block what was found.

    ``first`` is the number of the block's first latent. :func:`spadam.kernels.topk_bounds.bounded_scores` says how a
    score and what it may be off follow from what is known of its latent and its sample. Between blocks ``bar_P`` holds
    T, and ``count_P`` how many candidates stand in the first columns of the others. A sample whose candidates do not
    fit, or that has a NaN, gets the bar infinity and the count OPEN, one of which an exact score lay outside of its
    interval the count UNSOUND. The bits of a sample's result depend neither on ``tile`` nor on the samples beside it.
    """
    samples, most = block_NP.shape[1], low_PC.shape[1]
    for number_of_tile in prange((samples + tile - 1) // tile):
        start = number_of_tile * tile
        end = min(samples, start + tile)
        if first == 0 and len(block_NP) >= 4 * k:
            for lane in range(start, end, LANES):
                _first_bars(block_NP, lane, k, bias_L, known_4L, shares, known_4P, bar_P)
        for n in range(len(block_NP)):
            latent = _of(first + n, bias_L, known_4L, shares)
            for lane in range(start, end, LANES):
                found = _high_lanes(block_NP, n, lane, bar_P, known_4P, latent)
                while found != 0:
                    b = lane + first_lane(found)
                    found = without_first_lane(found)
                    c = count_P[b]
                    if c < 0:
                        continue
                    score, off = _interval(block_NP[n, b], np.uintp(b), known_4P, latent)
                    low, high = score - off, score + off
                    if c == most:
                        c, bar_P[b] = _shrink(low_PC[b], high_PC[b], latent_PC[b], k)
                    if c == most or not (low <= high):
                        count_P[b], bar_P[b] = OPEN, np.inf
                    elif high < bar_P[b]:
                        count_P[b] = c
                    else:
                        low_PC[b, c], high_PC[b, c], latent_PC[b, c] = low, high, first + n
                        count_P[b] = c + 1
        if last:
            for b in range(start, min(end, len(x_BD))):
                if count_P[b] >= 0:
                    candidates = low_PC[b, : count_P[b]], high_PC[b, : count_P[b]], latent_PC[b, : count_P[b]]
                    if not _settle(x_BD[b], weight_LD, bias_L, *candidates, scores_Bk[b], latents_Bk[b]):
                        count_P[b] = UNSOUND


@compiled()
def _settle(
    x_D: Array,
    weight_LD: Array,
    bias_L: Array,
    low_C: Array,
    high_C: Array,
    latent_C: Array,
    scores_k: Array,
    latents_k: Array,
) -> bool:
    """Score a sample's candidates exactly and keep the k best. Returns whether every score lay in its interval.

    Those at or above the bar come first, k at least: few others have a ``high`` that reaches what these set.
    """
    bar = kth_largest(low_C.copy(), len(scores_k))
    filled, sound = 0, True
    for others in (False, True):
        for c in range(len(low_C)):
            if (low_C[c] < bar) != others or (others and high_C[c] < scores_k[-1]):
                continue
            latent = latent_C[c]
            score = dot(x_D, weight_LD[latent]) + bias_L[latent]
            sound = sound and low_C[c] <= score <= high_C[c]
            filled = _insert(scores_k, latents_k, filled, score, latent)
    return sound


@compiled()
def _insert(scores_k: Array, latents_k: Array, filled: int, score: Any, latent: int) -> int:
    """Put a latent into a list of the best, sorted. Returns its new length."""
    place = min(filled, len(scores_k) - 1)
    if filled == len(scores_k) and not _beats(score, latent, scores_k[place], latents_k[place]):
        return filled
    while place > 0 and _beats(score, latent, scores_k[place - 1], latents_k[place - 1]):
        scores_k[place], latents_k[place] = scores_k[place - 1], latents_k[place - 1]
        place -= 1
    scores_k[place], latents_k[place] = score, latent
    return min(filled + 1, len(scores_k))


@compiled()
def _beats(score: Any, latent: Any, other_score: Any, other_latent: Any) -> Any:
    """Larger, NaN against a number, or equal and the lower latent."""
    if score > other_score:
        return True
    if score < other_score:
        return False
    missing, other_missing = score != score, other_score != other_score
    return latent < other_latent if missing == other_missing else missing


@compiled(parallel=True)
def exhaust(x_BD: Array, weight_LD: Array, bias_L: Array, scores_Bk: Array, latents_Bk: Array) -> None:
    """Score every latent and keep each sample's k best: what :func:`search_block` must equal, bit by bit."""
    for b in prange(len(x_BD)):
        filled = 0
        for latent in range(len(weight_LD)):
            score = dot(x_BD[b], weight_LD[latent]) + bias_L[latent]
            filled = _insert(scores_Bk[b], latents_Bk[b], filled, score, latent)
