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
    ℓ = |x| + |x - x'| \qquad e = |x - x'| + γ ℓ

of each sample and of each row of weights (ℓ is not below either length), a score is off by at most
:math:`e_x ℓ_w + ℓ_x e_w`. The result is rounded
to the type of the product (a share of itself), the bias is added with a rounding, and a number too small for a normal
one may become zero. So each score lies in an interval, and a latent whose upper end is below the k-th largest lower end
cannot be among the k best: that is certain, not likely. The others are scored exactly.

Rows are rounded to bfloat16, or to 127 steps of int8 to either side: :math:`x' = c + s q`, where q are whole numbers,
c is the middle between a sample's least and largest feature (0 for weights) and s its reach from there over 127. Then

.. math::
    x'·w' = s_x s_w \, (q_x·q_w) + c_x \sum w'

where the product of whole numbers is exact; the roundings of the rest are below 8u (ℓ + 2 |c| √D) for each unit of
|w'|, which e holds as well.

Lengths are measured in float64 and the bound has some slack for its own roundings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

SLACK = 1 + 2.0**-10
"""For the roundings of the bound itself: a dozen operations, each off by 2^-24 at most."""

STEPS = 127
"""Of int8, to either side of the center."""

SMALLEST = 1e-30
"""Steps smaller than this are not taken: with them, numbers on the way to a score might be too small to be normal."""

MOST_FEATURES = 2**31 // STEPS**2
"""More of them might not fit a sum of products of int8."""

_BLOCK = 1 << 22
"""Elements of temporaries in float64, or of gathered rows, at a time."""


class Rounded(NamedTuple):
    """Rows whose products are cheap, and how far these are from the true ones. Samples have more rows, for padding."""

    rows_ND: Tensor
    """The rows themselves, or in bfloat16 or int8."""
    known_4N: Tensor
    """Of each row, in its own type: the length ℓ, the error e, the step s (1 unless int8), and the shift: of a sample
    its center c, of weights the sum of w' (0 unless int8)."""

    @classmethod
    def like(cls, source_ND: Tensor, dtype: torch.dtype, rows: int | None = None) -> Rounded:
        """Room for so many rows; rows in their own type are the source itself."""
        rows = source_ND.shape[0] if rows is None else rows
        known_4N = source_ND.new_empty(4, rows)
        if dtype == source_ND.dtype:
            return cls(source_ND, known_4N)
        return cls(torch.empty(rows, source_ND.shape[1], dtype=dtype, device=source_ND.device), known_4N)

    @property
    def exact(self) -> bool:
        """Whether these are the rows themselves."""
        return self.rows_ND.dtype == self.known_4N.dtype


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


def shares(cheap: Rounded) -> Shares:
    """What holds for every score of these rows."""
    info, features = torch.finfo(cheap.known_4N.dtype), cheap.rows_ND.shape[1]
    coarse = torch.finfo(torch.bfloat16).eps / 2 if cheap.rows_ND.dtype == torch.bfloat16 else 0
    return Shares((2 * info.eps + coarse) * SLACK, 4 * info.eps, 16 * features * info.tiny)


def summing(features: int, dtype: torch.dtype) -> float:
    """γ: how far a sum of ``features`` products may be off, as a share of the product of lengths."""
    bound = features * torch.finfo(dtype).eps / 2
    return bound / (1 - bound)


def product(weight_ND: Tensor, x_PD: Tensor, out_NP: Tensor) -> None:
    """``weight x^T``; of int8 in int32."""
    if weight_ND.dtype == torch.int8:
        torch._int_mm(weight_ND, x_PD.T, out=out_NP)
    else:
        torch.mm(weight_ND, x_PD.T, out=out_NP)


def round_rows(source_ND: Tensor, rows_R: Tensor | None, rounded: Rounded, *, samples: bool = False) -> None:
    """Round the rows listed (None: all) as ``rounded`` has it, and find out what their products may be off."""
    rows_ND, known_4N = rounded
    for part in _parts(source_ND, rows_R):
        source_RD = source_ND[part]
        exact_RD, center_R, step_R = source_RD.double(), torch.zeros_like(source_RD[:, 0]), None
        low_RD = exact_RD
        if rows_ND.dtype == torch.int8:
            low_RD, center_R, step_R = _steps(source_RD, centred=samples)
            rows_ND[part] = low_RD.to(torch.int8)
            low_RD = low_RD.double() * step_R.double()[:, None]
        elif not rounded.exact:
            rows_ND[part] = source_RD.to(rows_ND.dtype)
            low_RD = rows_ND[part].double()
        sum_R, low_RD = low_RD.sum(1), low_RD + center_R.double()[:, None]
        distance_R = _lengths(exact_RD - low_RD)
        size_R = _lengths(exact_RD) + distance_R
        error_R = distance_R + summing(source_ND.shape[1], source_ND.dtype) * size_R
        if step_R is not None:
            of_center_R = 2 * center_R.double().abs() * source_ND.shape[1] ** 0.5
            error_R += 4 * torch.finfo(source_ND.dtype).eps * (size_R + of_center_R)
        least = torch.finfo(source_ND.dtype).tiny
        known_4N[0, part] = (size_R * SLACK + least).to(known_4N.dtype)
        known_4N[1, part] = (error_R * SLACK + least).to(known_4N.dtype)
        known_4N[2, part] = 1 if step_R is None else step_R
        known_4N[3, part] = 0 if step_R is None else center_R if samples else sum_R.to(known_4N.dtype)


def row_checks(source_ND: Tensor, rows_R: Tensor | None) -> Tensor:
    """A whole number for each row listed (None: for all), (R,): another one as soon as a single number changes.

    It is Σ_d (2d+1) b_d modulo 2^64, b_d the bits of element d: an odd factor loses none of them.
    """
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}[source_ND.element_size()]
    odd_D = 2 * torch.arange(source_ND.shape[1], device=source_ND.device) + 1
    return torch.cat([(source_ND[part].view(whole).long() * odd_D).sum(1) for part in _parts(source_ND, rows_R)])


def as_they_are(weight_LD: Tensor, rounded: Rounded) -> Rounded:
    """The rows themselves, from what is known of them rounded."""
    known_4L = rounded.known_4N.clone()
    known_4L[1] = (
        known_4L[0] * (summing(weight_LD.shape[1], weight_LD.dtype) * SLACK) + torch.finfo(weight_LD.dtype).tiny
    )
    known_4L[2], known_4L[3] = 1, 0
    return Rounded(weight_LD, known_4L)


def _steps(source_RD: Tensor, *, centred: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Whole numbers, the center and the step of each row."""
    least_R, most_R = source_RD.amin(1), source_RD.amax(1)
    center_R = (least_R + most_R) * 0.5 if centred else torch.zeros_like(least_R)
    step_R = torch.maximum(most_R - center_R, center_R - least_R) / STEPS
    step_R = step_R.where(step_R >= SMALLEST, 0)
    steps_RD = (
        ((source_RD - center_R[:, None]) * step_R[:, None].reciprocal()).round().nan_to_num(0).clamp(-STEPS, STEPS)
    )
    return steps_RD.where(step_R[:, None] > 0, 0), center_R, step_R


def _lengths(rows_RD: Tensor) -> Tensor:
    lengths_R: Tensor = torch.linalg.vector_norm(rows_RD, dim=1)
    return lengths_R


def _parts(source_ND: Tensor, rows_R: Tensor | None) -> Iterator[slice | Tensor]:
    """The rows, some at a time."""
    rows, features = source_ND.shape
    for part in _slices(rows if rows_R is None else len(rows_R), features):
        yield part if rows_R is None else rows_R[part]


def _slices(rows: int, elements: int) -> Iterator[slice]:
    """So many rows at a time that their elements are not too many."""
    size = max(1, _BLOCK // max(1, elements))
    yield from (slice(start, start + size) for start in range(0, rows, size))


def exhaust(x_BD: Tensor, weight_LD: Tensor, bias_L: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Score every latent; the k best scores of each sample and their latents, (B, k)."""
    scores, latents = torch.addmm(bias_L, x_BD, weight_LD.T).topk(k, dim=1)
    return scores, latents


def find_best(x_BD: Tensor, weight_LD: Tensor, bias_L: Tensor, cheap: Rounded, k: int, room: int = 1) -> Found:
    """The k best latents of each sample, by at most 2 k ``room`` candidates each."""
    if cheap.exact:
        everything_B = torch.ones(len(x_BD), dtype=torch.bool, device=x_BD.device)
        return Found(*exhaust(x_BD, weight_LD, bias_L, k), everything_B, left_open=0, sound=True)
    rounded = Rounded.like(x_BD, cheap.rows_ND.dtype)
    round_rows(x_BD, None, rounded, samples=True)
    score_BL, off_BL = bounded_scores(rounded, bias_L, cheap)
    bar_B = (score_BL - off_BL).topk(k, dim=1).values[:, -1]
    high_BL = score_BL + off_BL
    # NaN stands first in topk: then the last candidate and the bar are numbers, but the comparison below is of all.
    most = min(2 * k * room, len(weight_LD))
    high_BM, latents_BM = high_BL.topk(most, dim=1)
    settled_B = (high_BL.isfinite().all(1) & (high_BM[:, -1] < bar_B)) | (most == len(weight_LD))

    exact_BM = torch.empty_like(high_BM)
    for part in _slices(len(x_BD), most * x_BD.shape[1]):
        rows_bMD = weight_LD[latents_BM[part]]
        exact_BM[part] = (rows_bMD @ x_BD[part, :, None])[:, :, 0] + bias_L[latents_BM[part]]
    inside_BM = (exact_BM - score_BL.gather(1, latents_BM)).abs() <= off_BL.gather(1, latents_BM)
    scores_Bk, place_Bk = exact_BM.topk(k, dim=1)
    sound = bool((inside_BM.all(1) | ~settled_B).all())
    left_open = len(x_BD) - int(settled_B.sum())
    return Found(scores_Bk, latents_BM.gather(1, place_Bk), settled_B, left_open, sound)


def bounded_scores(x: Rounded, bias_L: Tensor, weight: Rounded) -> tuple[Tensor, Tensor]:
    """Scores (B, L) by rounded rows, and how far each may be off."""
    length_B, error_B, step_B, center_B = x.known_4N[:, :, None]
    length_L, error_L, step_L, sum_L = weight.known_4N
    left_BD, right_LD = x.rows_ND, weight.rows_ND
    if left_BD.dtype == torch.int8:  # sums of whole numbers, exact in float64
        left_BD, right_LD = left_BD.double(), right_LD.double()
    score_BL = (left_BD @ right_LD.T).to(bias_L.dtype) * step_B * step_L + center_B * sum_L
    known = shares(weight)
    off_BL = score_BL.abs() * known.of_score + (bias_L.abs() * known.of_bias + known.least)
    off_BL += error_B * length_L + length_B * error_L
    return score_BL + bias_L, off_BL
