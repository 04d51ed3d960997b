r"""The k best latents of a sample, from scores known up to a bound; in torch operations: what it means, on any device.

Shapes: B samples, L latents, D features, N rows of either, R rows listed, M candidates a sample, k winners.

Most of a step would go into exact scores of latents that lose. A cheaper product of *rounded* rows, x' and w', is off
by no more than

.. math::
    |x·w - x'·w'| \le |x - x'|\,|w'| + |x|\,|w - w'|

since :math:`x·w - x'·w' = (x-x')·w' + x·(w-w')`, plus what arithmetic adds: a sum of D products in floating point, in
any order, is off by at most γ |x| |w| with γ = Du/(1-Du) and u half a unit in the last place (Higham, "Accuracy and
Stability of Numerical Algorithms", section 3.1), the cheap one as well as the exact one it stands for. So with

.. math::
    ℓ = \max(|x|, |x'|) \qquad e = |x - x'| + γ ℓ

of each sample and of each row of weights, a score is off by at most :math:`e_x ℓ_w + ℓ_x e_w`. The result is rounded
to the type of the product (a share of itself), the bias is added with a rounding, and a number too small for a normal
one may become zero. So each score lies in an interval, and a latent whose upper end is below the k-th largest lower end
cannot be among the k best: that is certain, not likely. The others are scored exactly.

Lengths are measured in float64 and the bound has some slack for its own roundings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

SLACK = 1 + 2.0**-10
"""For the roundings of the bound itself: a dozen operations, each off by 2^-24 at most."""

_BLOCK = 1 << 22
"""Elements of temporaries in float64, or of gathered rows, at a time."""


class Bounds(NamedTuple):
    """Of rows, in the type of the weights: what their products may be off."""

    length_N: Tensor
    """ℓ: how long each is at most, rounded or not."""
    error_N: Tensor
    """e: how far its products may be off, for each unit of the other side's length."""

    @classmethod
    def empty(cls, rows: int, dtype: torch.dtype, device: torch.device) -> Bounds:
        """Room for so many."""
        return cls(torch.empty(rows, dtype=dtype, device=device), torch.empty(rows, dtype=dtype, device=device))


class Approximation(NamedTuple):
    """Rows whose products are cheap, and how far these are from the true ones."""

    rows_LD: Tensor
    """The weights themselves, or rounded to bfloat16."""
    bounds_L: Bounds

    @property
    def rounded(self) -> bool:
        """Whether these are not the weights themselves."""
        return self.rows_LD.dtype == torch.bfloat16


class Found(NamedTuple):
    """The best latents of each sample: higher scores first, NaN before all numbers."""

    scores_Bk: Tensor
    latents_Bk: Tensor
    settled_B: Tensor
    """False where the candidates did not fit: this sample's numbers mean nothing."""
    left_open: int
    """How many samples these are."""
    sound: bool
    """False when a score lay outside its interval: the approximation is not one of these weights."""


class Shares(NamedTuple):
    """How far a score may be off whatever the lengths."""

    of_score: float
    """For being rounded, as a share of itself."""
    of_bias: float
    """For its bias, as a share of that."""
    least: float
    """For numbers too small to be normal."""


def shares(cheap: Approximation) -> Shares:
    """What holds for every score of this approximation."""
    info = torch.finfo(cheap.bounds_L.length_N.dtype)
    coarse = torch.finfo(cheap.rows_LD.dtype).eps / 2 if cheap.rounded else 0
    return Shares((2 * info.eps + coarse) * SLACK, 4 * info.eps, 16 * cheap.rows_LD.shape[1] * info.tiny)


def summing(features: int, dtype: torch.dtype) -> float:
    """γ: how far a sum of ``features`` products may be off, as a share of the product of lengths."""
    bound = features * torch.finfo(dtype).eps / 2
    return bound / (1 - bound)


def round_rows(source_ND: Tensor, rows_R: Tensor | None, low_ND: Tensor, bounds_N: Bounds) -> None:
    """Round the rows listed (None: all) to bfloat16 in ``low_ND``, and bound their products."""
    for part in _parts(source_ND, rows_R):
        source_RD = source_ND[part]
        low_ND[part] = low_RD = source_RD.to(torch.bfloat16)
        exact_RD, rounded_RD = source_RD.double(), low_RD.double()
        size_R = torch.maximum(_lengths(exact_RD), _lengths(rounded_RD))
        _bound(bounds_N, part, size_R, _lengths(exact_RD - rounded_RD), source_ND)


def measure_rows(source_ND: Tensor, rows_R: Tensor | None, bounds_N: Bounds) -> None:
    """Bound the products of the rows listed (None: all) as they are."""
    for part in _parts(source_ND, rows_R):
        size_R = _lengths(source_ND[part].double())
        _bound(bounds_N, part, size_R, torch.zeros_like(size_R), source_ND)


def exact_bounds(bounds_N: Bounds, features: int) -> Bounds:
    """From the bounds of rounded rows those of the rows themselves."""
    length_N, _ = bounds_N
    dtype = length_N.dtype
    return Bounds(length_N, length_N * (summing(features, dtype) * SLACK) + torch.finfo(dtype).tiny)


def _bound(bounds_N: Bounds, part: slice | Tensor, size_R: Tensor, distance_R: Tensor, source_ND: Tensor) -> None:
    gamma, least = summing(source_ND.shape[1], source_ND.dtype), torch.finfo(source_ND.dtype).tiny
    bounds_N.length_N[part] = (size_R * SLACK + least).to(source_ND.dtype)
    bounds_N.error_N[part] = ((distance_R + gamma * size_R) * SLACK + least).to(source_ND.dtype)


def _lengths(rows_RD: Tensor) -> Tensor:
    return torch.linalg.vector_norm(rows_RD, dim=1)


def _parts(source_ND: Tensor, rows_R: Tensor | None) -> Iterator[slice | Tensor]:
    """The rows, some at a time."""
    size = max(1, _BLOCK // max(1, source_ND.shape[1]))
    if rows_R is not None:
        yield from torch.split(rows_R, size)
    else:
        yield from (slice(start, start + size) for start in range(0, len(source_ND), size))


def exhaust(x_BD: Tensor, weight_LD: Tensor, bias_L: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Score every latent; the k best scores of each sample and their latents, (B, k)."""
    scores, latents = torch.addmm(bias_L, x_BD, weight_LD.T).topk(k, dim=1)
    return scores, latents


def find_best(x_BD: Tensor, weight_LD: Tensor, bias_L: Tensor, cheap: Approximation, k: int, room: int = 1) -> Found:
    """The k best latents of each sample, by at most 2 k ``room`` candidates each."""
    everything_B = torch.ones(len(x_BD), dtype=torch.bool, device=x_BD.device)
    if not cheap.rounded:
        return Found(*exhaust(x_BD, weight_LD, bias_L, k), everything_B, left_open=0, sound=True)
    features, dtype = weight_LD.shape[1], weight_LD.dtype
    low_BD, bounds_B = torch.empty_like(x_BD, dtype=torch.bfloat16), Bounds.empty(len(x_BD), dtype, x_BD.device)
    round_rows(x_BD, None, low_BD, bounds_B)
    (length_B, error_B), (length_L, error_L), known = bounds_B, cheap.bounds_L, shares(cheap)

    score_BL = (low_BD @ cheap.rows_LD.T).to(dtype)
    off_BL = score_BL.abs() * known.of_score + (bias_L.abs() * known.of_bias + known.least)
    off_BL += error_B[:, None] * length_L + length_B[:, None] * error_L
    score_BL += bias_L
    bar_B = (score_BL - off_BL).topk(k, dim=1).values[:, -1]
    high_BL = score_BL + off_BL
    # NaN stands first in topk: then the last candidate and the bar are numbers, but the comparison below is of all.
    most = min(2 * k * room, len(weight_LD))
    high_BM, latents_BM = high_BL.topk(most, dim=1)
    settled_B = (high_BL.isfinite().all(1) & (high_BM[:, -1] < bar_B)) | (most == len(weight_LD))

    exact_BM = torch.empty_like(high_BM)
    for part_B in torch.arange(len(x_BD), device=x_BD.device).split(max(1, _BLOCK // (most * features))):
        rows_bMD = weight_LD[latents_BM[part_B]]
        exact_BM[part_B] = (rows_bMD @ x_BD[part_B, :, None])[:, :, 0] + bias_L[latents_BM[part_B]]
    inside_BM = (exact_BM - score_BL.gather(1, latents_BM)).abs() <= off_BL.gather(1, latents_BM)
    scores_Bk, place_Bk = exact_BM.topk(k, dim=1)
    sound = bool((inside_BM.all(1) | ~settled_B).all())
    left_open = len(x_BD) - int(settled_B.sum())
    return Found(scores_Bk, latents_BM.gather(1, place_Bk), settled_B, left_open, sound)
