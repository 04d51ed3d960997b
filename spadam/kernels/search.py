r"""The k best latents of a sample, from scores known up to a bound; in torch operations: what it means, on any device.

Shapes: B samples, L latents, D features, R rows listed, M candidates a sample, k winners.

Most of a step would go into exact scores of latents that lose. A cheaper product of *rounded* rows, x' and w', is off
by no more than

.. math::
    |x·w - x'·w'| \le |x - x'|\,|w'| + |x|\,|w - w'|

since :math:`x·w - x'·w' = (x-x')·w' + x·(w-w')`, plus what arithmetic adds: a sum of D products in floating point, in
any order, is off by at most γ |x| |w| with γ = Du/(1-Du) and u half a unit in the last place (Higham, "Accuracy and
Stability of Numerical Algorithms", section 3.1), the cheap one as well as the exact one it stands for; the result is
rounded to the type of the product (a share ``part`` of itself), the bias is added with a rounding, and a number too
small for a normal one may become zero. So each score lies in an interval, and a latent whose upper end is below the
k-th largest lower end cannot be among the k best: that is certain, not likely. The others are scored exactly.

The lengths are measured in float64 and the bound has some slack for its own roundings.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_SLACK = 1 + 2.0**-10
"""For the roundings of the bound itself: a dozen operations, each off by 2^-24 at most."""

_BLOCK = 1 << 22
"""Elements of temporaries in float64, or of gathered rows, at a time."""


class Approximation(NamedTuple):
    """Rows whose products are cheap, and how far these are from the true ones."""

    rows_LD: Tensor
    """The weights themselves, or rounded to bfloat16."""
    near_L: Tensor
    """Length of each of these rows: what an error of the sample counts."""
    far_L: Tensor
    """Distance from the true row, its exact score's own rounding included: what the sample's length counts."""
    part: float
    """How far the product may be off for being rounded, as a share of itself."""

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
    sound: bool
    """False when a score lay outside its interval: the approximation is not one of these weights."""


def summing(features: int, dtype: torch.dtype) -> float:
    """γ: how far a sum of ``features`` products may be off, as a share of the product of lengths."""
    bound = features * torch.finfo(dtype).eps / 2
    return bound / (1 - bound)


def approximate(rows_LD: Tensor, lengths: Lengths, dtype: torch.dtype) -> Approximation:
    """The approximation by ``rows_LD`` of weights in ``dtype``, from what was measured of both."""
    gamma = summing(rows_LD.shape[1], dtype)
    far_L = (lengths.distance + gamma * lengths.size) * _SLACK
    part = 2 * torch.finfo(dtype).eps + (torch.finfo(rows_LD.dtype).eps / 2 if rows_LD.dtype != dtype else 0)
    return Approximation(rows_LD, lengths.rounded.to(dtype), far_L.to(dtype), part * _SLACK)


class Lengths(NamedTuple):
    """Of rows, in float64: |source|, |rounded|, |source - rounded|."""

    size: Tensor
    rounded: Tensor
    distance: Tensor

    def spread(self, features: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Of samples: how far their products may be off per length of a row, and their own length, (B,) each."""
        alpha_B = (self.distance + summing(features, dtype) * self.rounded) * _SLACK
        return alpha_B.to(dtype), (self.size * _SLACK).to(dtype)


def base_of(bias_L: Tensor, features: int) -> Tensor:
    """How far a score may be off whatever the sample, (L,): for the bias, and for numbers too small to be normal."""
    info = torch.finfo(bias_L.dtype)
    return bias_L.abs() * (4 * info.eps) + 16 * features * info.tiny


def round_rows(source_ND: Tensor, rows_R: Tensor, low_ND: Tensor, lengths_N: Lengths) -> None:
    """Round the rows listed to bfloat16 in ``low_ND``, and measure them."""
    for part_R in torch.split(rows_R, max(1, _BLOCK // max(1, source_ND.shape[1]))):
        source_RD = source_ND[part_R]
        low_RD = source_RD.to(torch.bfloat16)
        low_ND[part_R] = low_RD
        exact_RD, rounded_RD = source_RD.double(), low_RD.double()
        for length_N, row_RD in zip(lengths_N, (exact_RD, rounded_RD, exact_RD - rounded_RD), strict=True):
            length_N[part_R] = torch.linalg.vector_norm(row_RD, dim=1)


def measure_rows(source_ND: Tensor, rows_R: Tensor, size_N: Tensor) -> None:
    """Measure the rows listed, in float64."""
    for part_R in torch.split(rows_R, max(1, _BLOCK // max(1, source_ND.shape[1]))):
        size_N[part_R] = torch.linalg.vector_norm(source_ND[part_R].double(), dim=1)


def exhaust(x_BD: Tensor, weight_LD: Tensor, bias_L: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Score every latent; the k best scores of each sample and their latents, (B, k)."""
    scores, latents = torch.addmm(bias_L, x_BD, weight_LD.T).topk(k, dim=1)
    return scores, latents


def find_best(x_BD: Tensor, weight_LD: Tensor, bias_L: Tensor, cheap: Approximation, k: int, room: int = 1) -> Found:
    """The k best latents of each sample, by at most 2 k ``room`` candidates each."""
    if not cheap.rounded:
        settled_B = torch.ones(len(x_BD), dtype=torch.bool, device=x_BD.device)
        return Found(*exhaust(x_BD, weight_LD, bias_L, k), settled_B, sound=True)
    features, dtype = weight_LD.shape[1], weight_LD.dtype
    everything_B = torch.arange(len(x_BD), device=x_BD.device)
    low_BD = torch.empty_like(x_BD, dtype=torch.bfloat16)
    lengths_B = empty_lengths(len(x_BD), x_BD.device)
    round_rows(x_BD, everything_B, low_BD, lengths_B)
    alpha_B, gamma_B = lengths_B.spread(features, dtype)

    score_BL = (low_BD @ cheap.rows_LD.T).to(dtype)
    off_BL = score_BL.abs() * cheap.part + base_of(bias_L, features)
    off_BL += alpha_B[:, None] * cheap.near_L + gamma_B[:, None] * cheap.far_L
    score_BL += bias_L
    bar_B = (score_BL - off_BL).topk(k, dim=1).values[:, -1]
    high_BL = score_BL + off_BL
    # NaN stands first in topk: then the last candidate and the bar are numbers, but the comparison below is of all.
    most = min(2 * k * room, len(weight_LD))
    high_BM, latents_BM = high_BL.topk(most, dim=1)
    settled_B = (high_BL.isfinite().all(1) & (high_BM[:, -1] < bar_B)) | (most == len(weight_LD))

    exact_BM = torch.empty_like(high_BM)
    for part in torch.split(everything_B, max(1, _BLOCK // (most * features))):
        rows_bMD = weight_LD[latents_BM[part]]
        exact_BM[part] = (rows_bMD @ x_BD[part, :, None])[:, :, 0] + bias_L[latents_BM[part]]
    inside_BM = (exact_BM - score_BL.gather(1, latents_BM)).abs() <= off_BL.gather(1, latents_BM)
    scores_Bk, place_Bk = exact_BM.topk(k, dim=1)
    sound = bool((inside_BM.all(1) | ~settled_B).all())
    return Found(scores_Bk, latents_BM.gather(1, place_Bk), settled_B, sound)


def empty_lengths(rows: int, device: torch.device) -> Lengths:
    """Room for the lengths of so many rows."""
    return Lengths(*(torch.empty(rows, dtype=torch.float64, device=device) for _ in range(3)))
