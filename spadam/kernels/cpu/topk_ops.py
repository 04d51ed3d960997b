"""The k best latents of a sample on a CPU: :mod:`spadam.kernels.topk_bounds` says what is meant, and is the twin.

Scores come in blocks of latents, latent-major, and are gone through while they are in cache: the matrix of all of them
is never stored. The winners are scored by one and the same compiled sum of products whatever gave the bounds, so the
result has the same bits for every approximation, number of threads and size of block: those of :func:`exhaust`.

Shapes: B samples, P samples and padding, L latents, D features, R rows listed, C candidates a sample, k winners.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from spadam.kernels.cpu import rounding, scan
from spadam.kernels.cpu.compiling import follow_torch, listed_rows
from spadam.kernels.topk_bounds import Found, Rounded, product, shares, summing

_BLOCK = 1 << 20
"""Scores of a block: not far from the processor."""

_SAMPLES = 512
"""Samples of a block, at most: a row of scores stays within a page of memory."""

_FEWEST = 256
"""Latents of a block, at least: products of fewer rows are slow."""


def round_rows(source_ND: Tensor, rows_R: Tensor | None, rounded: Rounded, *, samples: bool = False) -> None:
    """Round the rows listed (None: all) as ``rounded`` has it, and find out what their products may be off.

    When all are meant, ``rounded`` may have more rows than the source: these become zeros.
    """
    if rows_R is not None and not rows_R.shape[0]:
        return
    (rows_ND, known), source, dtype = rounded, source_ND.numpy(), source_ND.dtype
    listed, known_4N = listed_rows(rows_R), known.numpy()
    limits = (summing(source.shape[1], dtype), torch.finfo(dtype).tiny)
    follow_torch((len(listed) or known_4N.shape[1]) * source.shape[1])
    if rows_ND.dtype == torch.int8:
        rounding.to_int8(source, listed, rows_ND.numpy(), known_4N, samples, limits, torch.finfo(dtype).eps)
    elif rounded.exact:
        rounding.measure(source, listed, known_4N, limits)
    else:
        rounding.to_bfloat16(source, listed, rows_ND.view(torch.uint16).numpy(), known_4N, limits)


def row_checks(source_ND: Tensor, rows_R: Tensor | None) -> Tensor:
    """A whole number for each row listed (None: for all), (R,): another one as soon as a single number changes."""
    listed = listed_rows(rows_R)
    checks_R = source_ND.new_empty(len(source_ND) if rows_R is None else len(listed), dtype=torch.int64)
    if not len(checks_R):
        return checks_R
    follow_torch(len(checks_R) * source_ND.shape[1])
    whole = source_ND.view(torch.int32 if source_ND.dtype == torch.float32 else torch.int64)
    rounding.check_rows(whole.numpy(), listed, checks_R.numpy())
    return checks_R


def exhaust(x_BD: Tensor, weight_LD: Tensor, bias_L: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Score every latent; the k best scores of each sample and their latents, (B, k)."""
    scores_Bk, latents_Bk = _room(x_BD, k)
    follow_torch(len(x_BD) * weight_LD.numel())
    scan.exhaust(*(tensor.numpy() for tensor in (x_BD, weight_LD, bias_L, scores_Bk, latents_Bk)))
    return scores_Bk, latents_Bk


def find_best(x_BD: Tensor, weight_LD: Tensor, bias_L: Tensor, cheap: Rounded, k: int, room: int = 1) -> Found:
    """The k best latents of each sample, by at most 10 k ``room`` candidates each.

    That is room for what comes before the bar is high: few of them are left when every block has been seen.
    """
    if x_BD.shape[0] > _SAMPLES:
        split = torch.split(x_BD, _SAMPLES)
        return _joined([find_best(part_BD, weight_LD, bias_L, cheap, k, room) for part_BD in split])
    (batch, features), latents, real = x_BD.shape, weight_LD.shape[0], bias_L.numpy().dtype.type
    padded = -(-batch // scan.LANES) * scan.LANES
    rounded = Rounded.like(x_BD, cheap.rows_ND.dtype, padded)
    round_rows(x_BD, None, rounded, samples=True)
    left_PD = rounded.rows_ND
    if rounded.exact and padded > batch:
        left_PD = torch.cat((x_BD, x_BD.new_zeros(padded - batch, features)))
    most = min(latents, 10 * k * room)
    bar_P, count_P = np.full(padded, -np.inf, real), np.zeros(padded, np.int64)
    bar_P[batch:], count_P[batch:] = np.inf, scan.OPEN
    low_PC, high_PC = np.empty((padded, most), real), np.empty((padded, most), real)
    found = (bar_P, count_P, low_PC, high_PC, np.empty((padded, most), np.int32))
    scores_Bk, latents_Bk = _room(x_BD, k)
    result = (scores_Bk.numpy(), latents_Bk.numpy())
    exact = (x_BD.numpy(), weight_LD.numpy(), bias_L.numpy())
    known = (cheap.known_4N.numpy(), tuple(map(real, shares(cheap))), rounded.known_4N.numpy())

    follow_torch(padded * latents)
    tile, size = _tile(padded), min(latents, max(_FEWEST, _BLOCK // padded))
    block_NP = torch.empty(size, padded, dtype=torch.int32 if left_PD.dtype == torch.int8 else left_PD.dtype)
    scores_NP = (block_NP.view(torch.uint16) if left_PD.dtype == torch.bfloat16 else block_NP).numpy()
    for first in range(0, latents, size):
        here = min(size, latents - first)
        product(cheap.rows_ND[first : first + here], left_PD, block_NP[:here])
        last = first + here == latents
        scan.search_block(scores_NP[:here], first, last, k, *exact, *known, tile, *found, *result)
    settled_B, sound = count_P[:batch] != scan.OPEN, not bool((count_P == scan.UNSOUND).any())
    return Found(scores_Bk, latents_Bk, torch.from_numpy(settled_B), batch - int(np.count_nonzero(settled_B)), sound)


def _joined(parts: list[Found]) -> Found:
    tensors = [(part.scores_Bk, part.latents_Bk, part.settled_B) for part in parts]
    scores_Bk, latents_Bk, settled_B = map(torch.cat, zip(*tensors, strict=True))
    left_open, sound = sum(part.left_open for part in parts), all(part.sound for part in parts)
    return Found(scores_Bk, latents_Bk, settled_B, left_open, sound)


def _tile(padded: int) -> int:
    """Samples that a thread goes through together: all threads have some, and their thresholds stay in cache."""
    share = -(-padded // torch.get_num_threads())
    return min(scan.TILE, -(-share // scan.LANES) * scan.LANES)


def _room(x_BD: Tensor, k: int) -> tuple[Tensor, Tensor]:
    return x_BD.new_empty(len(x_BD), k), torch.empty(len(x_BD), k, dtype=torch.int64)


__all__ = ["exhaust", "find_best", "round_rows", "row_checks"]
