"""The k best latents of a sample on a CPU: :mod:`spadam.kernels.search` says what is meant, and is the twin.

Scores come in blocks of latents, latent-major, and are gone through while they are in cache: the matrix of all of them
is never stored. The winners are scored by one and the same compiled sum of products whatever gave the bounds, so the
result has the same bits for every approximation, number of threads and size of block: those of :func:`exhaust`.

Shapes: B samples, P samples and padding, L latents, D features, R rows listed, C candidates a sample, k winners.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from spadam.kernels import rounding, scan
from spadam.kernels.compiling import follow_torch
from spadam.kernels.search import Approximation, Found, Lengths, base_of, empty_lengths

_BLOCK = 1 << 19
"""Scores of a block: in the processor's second cache, or not far from it."""

_FEWEST = 256
"""Latents of a block, at least: products of fewer rows are slow."""


def round_rows(source_ND: Tensor, rows_R: Tensor, low_ND: Tensor, lengths_N: Lengths) -> None:
    """Round the rows listed to bfloat16 in ``low_ND``, and measure them."""
    follow_torch(len(rows_R) * source_ND.shape[1])
    low = low_ND.view(torch.uint16).numpy()
    rounding.round_rows(source_ND.numpy(), rows_R.numpy(), low, *(length_N.numpy() for length_N in lengths_N))


def measure_rows(source_ND: Tensor, rows_R: Tensor, size_N: Tensor) -> None:
    """Measure the rows listed, in float64."""
    follow_torch(len(rows_R) * source_ND.shape[1])
    rounding.measure_rows(source_ND.numpy(), rows_R.numpy(), size_N.numpy())


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
    batch, (latents, features), real = len(x_BD), weight_LD.shape, weight_LD.numpy().dtype
    left_PD, lengths_P = _padded(x_BD, cheap)
    padded = len(left_PD)
    alpha_P, gamma_P = (tensor.numpy() for tensor in lengths_P.spread(features, weight_LD.dtype))
    bar_P, count_P = np.full(padded, -np.inf, real), np.zeros(padded, np.int64)
    bar_P[batch:], count_P[batch:] = np.inf, -1
    most = min(latents, 6 * k * room)
    low_PC, high_PC = np.empty((padded, most), real), np.empty((padded, most), real)
    latent_PC = np.empty((padded, most), np.int32)
    bias, base = bias_L.numpy(), base_of(bias_L, features).numpy()
    near, far, part = cheap.near_L.numpy(), cheap.far_L.numpy(), real.type(cheap.part)

    follow_torch(padded * latents)
    tile = _tile(padded)
    size = min(latents, max(_FEWEST, _BLOCK // padded))
    block_NP = torch.empty(size, padded, dtype=cheap.rows_LD.dtype)
    for first in range(0, latents, size):
        here = slice(first, min(latents, first + size))
        out_NP = block_NP[: here.stop - first]
        torch.mm(cheap.rows_LD[here], left_PD.T, out=out_NP)
        scores = out_NP.view(torch.uint16).numpy() if cheap.rounded else out_NP.numpy()
        known = (bias[here], base[here], near[here], far[here], part, alpha_P, gamma_P)
        scan.collect(scores, first, k, *known, tile, bar_P, count_P, low_PC, high_PC, latent_PC)

    scores_Bk, latents_Bk = _room(x_BD, k)
    follow_torch(batch * k * features)
    candidates = (count_P, low_PC, high_PC, latent_PC)
    sound = scan.settle(x_BD.numpy(), weight_LD.numpy(), bias, *candidates, scores_Bk.numpy(), latents_Bk.numpy())
    return Found(scores_Bk, latents_Bk, torch.from_numpy(count_P[:batch] >= 0), bool(sound))


def _padded(x_BD: Tensor, cheap: Approximation) -> tuple[Tensor, Lengths]:
    """The samples as the product takes them, rows of zeros up to whole lanes, and their lengths."""
    batch = len(x_BD)
    padded = -(-batch // scan.LANES) * scan.LANES
    rows_B, lengths_P = torch.arange(batch), empty_lengths(padded, x_BD.device)
    for length_P in lengths_P:
        length_P[batch:] = 0
    if cheap.rounded:
        left_PD = torch.empty(padded, x_BD.shape[1], dtype=torch.bfloat16)
        round_rows(x_BD, rows_B, left_PD[:batch], Lengths(*(length_P[:batch] for length_P in lengths_P)))
        left_PD[batch:] = 0
        return left_PD, lengths_P
    size_P = lengths_P.size
    measure_rows(x_BD, rows_B, size_P)
    left_PD = x_BD if padded == batch else torch.cat((x_BD, x_BD.new_zeros(padded - batch, x_BD.shape[1])))
    return left_PD, Lengths(size_P, size_P, torch.zeros_like(size_P))


def _tile(padded: int) -> int:
    """Samples that a thread goes through together: all threads have some, and their thresholds stay in cache."""
    share = -(-padded // torch.get_num_threads())
    return min(scan.TILE, -(-share // scan.LANES) * scan.LANES)


def _room(x_BD: Tensor, k: int) -> tuple[Tensor, Tensor]:
    return x_BD.new_empty(len(x_BD), k), torch.empty(len(x_BD), k, dtype=torch.int64)


__all__ = ["exhaust", "find_best", "measure_rows", "round_rows"]
