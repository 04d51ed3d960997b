"""The k best latents of a sample on a CPU: :mod:`spadam.kernels.search` says what is meant, and is the twin.

Scores come in blocks of latents, latent-major, and are gone through while they are in cache: the matrix of all of them
is never stored. The winners are scored by one and the same compiled sum of products whatever gave the bounds, so the
result has the same bits for every approximation, number of threads and size of block: those of :func:`exhaust`.

Shapes: B samples, P samples and padding, L latents, D features, R rows listed, C candidates a sample, k winners.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spadam.kernels import rounding, scan
from spadam.kernels.compiling import follow_torch
from spadam.kernels.search import SLACK, Approximation, Bounds, Found, shares, summing

_BLOCK = 1 << 19
"""Scores of a block: in the processor's second cache, or not far from it."""

_FEWEST = 256
"""Latents of a block, at least: products of fewer rows are slow."""

_ALL = np.empty(0, np.int64)
"""What stands for a list of every row."""


def round_rows(source_ND: Tensor, rows_R: Tensor | None, low_ND: Tensor, bounds_N: Bounds) -> None:
    """Round the rows listed (None: all) to bfloat16 in ``low_ND``, and bound their products.

    When all are meant, ``low_ND`` and the bounds may have more rows than the source: these become zeros.
    """
    if rows_R is not None and not len(rows_R):
        return
    follow_torch((len(low_ND) if rows_R is None else len(rows_R)) * source_ND.shape[1])
    rounding.round_rows(
        source_ND.numpy(), _listed(rows_R), low_ND.view(torch.uint16).numpy(), *_numbers(source_ND, bounds_N)
    )


def measure_rows(source_ND: Tensor, rows_R: Tensor | None, bounds_N: Bounds) -> None:
    """Bound the products of the rows listed (None: all) as they are; of rows beyond the source's, as zeros."""
    if rows_R is not None and not len(rows_R):
        return
    follow_torch((len(source_ND) if rows_R is None else len(rows_R)) * source_ND.shape[1])
    rounding.measure_rows(source_ND.numpy(), _listed(rows_R), *_numbers(source_ND, bounds_N))


def _listed(rows_R: Tensor | None) -> NDArray[np.int64]:
    return _ALL if rows_R is None else rows_R.numpy()


def _numbers(source_ND: Tensor, bounds_N: Bounds) -> tuple[Any, ...]:
    share, least = summing(source_ND.shape[1], source_ND.dtype), torch.finfo(source_ND.dtype).tiny
    return bounds_N.length_N.numpy(), bounds_N.error_N.numpy(), (share, SLACK, least)


def exhaust(x_BD: Tensor, weight_LD: Tensor, bias_L: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Score every latent; the k best scores of each sample and their latents, (B, k)."""
    scores_Bk, latents_Bk = _room(x_BD, k)
    follow_torch(len(x_BD) * weight_LD.numel())
    scan.exhaust(*(tensor.numpy() for tensor in (x_BD, weight_LD, bias_L, scores_Bk, latents_Bk)))
    return scores_Bk, latents_Bk


def find_best(x_BD: Tensor, weight_LD: Tensor, bias_L: Tensor, cheap: Approximation, k: int, room: int = 1) -> Found:
    """The k best latents of each sample, by at most 6 k ``room`` candidates each.

    That is room for what comes before the bar is high: few of them are left when every block has been seen.
    """
    batch, latents, real = len(x_BD), len(weight_LD), weight_LD.numpy().dtype.type
    left_PD, bounds_P = _padded(x_BD, cheap)
    padded = len(left_PD)
    most = min(latents, 6 * k * room)
    bar_P, count_P = np.full(padded, -np.inf, real), np.zeros(padded, np.int64)
    bar_P[batch:], count_P[batch:] = np.inf, scan.OPEN
    low_PC, high_PC = np.empty((padded, most), real), np.empty((padded, most), real)
    found = (bar_P, count_P, low_PC, high_PC, np.empty((padded, most), np.int32))
    scores_Bk, latents_Bk = _room(x_BD, k)
    result = (scores_Bk.numpy(), latents_Bk.numpy())
    exact = (x_BD.numpy(), weight_LD.numpy(), bias_L.numpy())
    bounds = (*_arrays(cheap.bounds_L), tuple(map(real, shares(cheap))), *_arrays(bounds_P))

    follow_torch(padded * latents)
    tile, size = _tile(padded), min(latents, max(_FEWEST, _BLOCK // padded))
    block_NP = torch.empty(size, padded, dtype=cheap.rows_LD.dtype)
    scores_NP = (block_NP.view(torch.uint16) if cheap.rounded else block_NP).numpy()
    for first in range(0, latents, size):
        here = min(size, latents - first)
        torch.mm(cheap.rows_LD[first : first + here], left_PD.T, out=block_NP[:here])
        last = first + here == latents
        scan.search_block(scores_NP[:here], first, last, k, *exact, *bounds, tile, *found, *result)
    settled_B = count_P[:batch] >= 0
    left_open = batch - int(np.count_nonzero(settled_B))
    sound = left_open == 0 or not bool((count_P == scan.UNSOUND).any())
    return Found(scores_Bk, latents_Bk, torch.from_numpy(settled_B), left_open, sound)


def _padded(x_BD: Tensor, cheap: Approximation) -> tuple[Tensor, Bounds]:
    """The samples as the product takes them, with rows of zeros up to whole lanes, and their bounds."""
    batch, features = x_BD.shape
    padded = -(-batch // scan.LANES) * scan.LANES
    bounds_P = Bounds.empty(padded, x_BD.dtype, x_BD.device)
    if cheap.rounded:
        left_PD = torch.empty(padded, features, dtype=torch.bfloat16)
        round_rows(x_BD, None, left_PD, bounds_P)
        return left_PD, bounds_P
    measure_rows(x_BD, None, bounds_P)
    return x_BD if padded == batch else torch.cat((x_BD, x_BD.new_zeros(padded - batch, features))), bounds_P


def _tile(padded: int) -> int:
    """Samples that a thread goes through together: all threads have some, and their thresholds stay in cache."""
    share = -(-padded // torch.get_num_threads())
    return min(scan.TILE, -(-share // scan.LANES) * scan.LANES)


def _arrays(bounds_N: Bounds) -> tuple[Any, Any]:
    return bounds_N.length_N.numpy(), bounds_N.error_N.numpy()


def _room(x_BD: Tensor, k: int) -> tuple[Tensor, Tensor]:
    return x_BD.new_empty(len(x_BD), k), torch.empty(len(x_BD), k, dtype=torch.int64)


__all__ = ["exhaust", "find_best", "measure_rows", "round_rows"]
