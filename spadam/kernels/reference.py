"""The hot loops in torch operations: what they mean, on any device.

Shapes: B samples, L latents, D features, P pairs (sample, latent) that are on, R rows that have at least one pair.
Pairs stand in sample order; ``offsets_B`` says where the pairs of each sample begin. Every function is deterministic:
the same arguments and thread count give the same bits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from spadam.kernels.topk_bounds import exhaust, find_best, round_rows, row_checks

_BLOCK = 1 << 17
"""Elements worked on at a time: temporaries of this size stay in cache and are not handed back to the system."""

_DENSE_SHARE = 1 / 8
"""From this share of pairs on, products of whole matrices are cheaper than gathering."""


class Groups(NamedTuple):
    """Pairs sorted by row, those of a row by sample."""

    rows_R: Tensor
    """Rows that have a pair, ascending."""
    starts_R: Tensor
    """Where each row's pairs begin in ``order_P``."""
    counts_R: Tensor
    order_P: Tensor
    """Which pair stands in each place."""
    samples_P: Tensor
    """Of which sample it is."""


class Average(NamedTuple):
    r"""What makes of an update one within schedule-free averaging.

    The parameter holds y = z + lead · lag. The rows updated become their z, step, and are y again:

    .. math::
        lag ← lag - weight (z' - z) \qquad y' = z' + lead' lag'
    """

    lag_LD: Tensor
    """How far the average is from z, times the sum of its weights."""
    lead_L1: Tensor
    """By how much of it each row's y is ahead of z; afterwards ``lead`` in the rows updated."""
    weight: float
    """The sum of the weights before this step."""
    lead: float
    """By how much y is ahead from this step on."""


Terms: TypeAlias = tuple[Tensor, Tensor]
"""Of a sum over pairs: a value for each, (P,), and a row for each sample, (B, D)."""


def mostly_on(pairs: int, samples: int, rows: int) -> bool:
    """Whether so many of the pairs are on that products of whole matrices are cheaper than gathering."""
    return pairs > _DENSE_SHARE * samples * rows


def group_by_row(latents_P: Tensor, offsets_B: Tensor, rows: int) -> Groups:
    """Sort pairs by latent, of which there are ``rows``, keeping sample order within a latent."""
    del rows  # a sort need not know
    sorted_P, order_P = latents_P.sort(stable=True)
    rows_R, counts_R = torch.unique_consecutive(sorted_P, return_counts=True)
    samples_P = samples_of_pairs(offsets_B, len(latents_P))[order_P]
    return Groups(rows_R, counts_R.cumsum(0) - counts_R, counts_R, order_P, samples_P)


def decode(latents_P: Tensor, values_P: Tensor, offsets_B: Tensor, weight_LD: Tensor) -> Tensor:
    """Sum of ``value * weight[latent]`` over each sample's pairs, (B, D)."""
    if mostly_on(len(latents_P), len(offsets_B), len(weight_LD)):
        code_BL = values_P.new_zeros(len(offsets_B), len(weight_LD))
        code_BL[samples_of_pairs(offsets_B, len(latents_P)), latents_P] = values_P
        return code_BL @ weight_LD
    return F.embedding_bag(latents_P, weight_LD, offsets_B, mode="sum", per_sample_weights=values_P)


def samples_of_pairs(offsets_B: Tensor, pairs: int) -> Tensor:
    """The sample of each pair, (P,)."""
    counts_B = torch.diff(offsets_B, append=offsets_B.new_tensor([pairs]))
    return torch.repeat_interleave(counts_B, output_size=pairs)


def sampled_products(latents_P: Tensor, offsets_B: Tensor, left_BD: Tensor, weight_LD: Tensor) -> Tensor:
    """``left[sample] . weight[latent]`` for every pair, (P,)."""
    samples_P = samples_of_pairs(offsets_B, len(latents_P))
    if mostly_on(len(latents_P), len(left_BD), len(weight_LD)):
        return (left_BD @ weight_LD.T)[samples_P, latents_P]
    step = max(1, _BLOCK // weight_LD.shape[1])
    parts = [
        left_BD.index_select(0, s).mul_(weight_LD.index_select(0, r)).sum(1)
        for s, r in zip(torch.split(samples_P, step), torch.split(latents_P, step), strict=True)
    ]
    return torch.cat(parts)


def row_gradient(groups: Groups, first: Terms, second: Terms | None = None) -> Tensor:
    """Sum of ``value * left[sample]`` over each row's pairs, (R, D); of both terms, if there are two."""
    total_RD = _row_gradient(groups, *first)
    return total_RD if second is None else total_RD.add_(_row_gradient(groups, *second))


def _row_gradient(groups: Groups, values_P: Tensor, left_BD: Tensor) -> Tensor:
    rows_R, starts_R, counts_R, order_P, samples_P = groups
    if mostly_on(len(values_P), len(left_BD), len(rows_R)):
        place_P = torch.repeat_interleave(counts_R, output_size=len(values_P))
        values_RB = values_P.new_zeros(len(rows_R), len(left_BD))
        values_RB[place_P, samples_P] = values_P[order_P]
        return values_RB @ left_BD
    return F.embedding_bag(samples_P, left_BD, starts_R, mode="sum", per_sample_weights=values_P[order_P])


def row_sum(values_P: Tensor, groups: Groups) -> Tensor:
    """Sum of the values of each row's pairs, (R,)."""
    return torch.segment_reduce(values_P[groups.order_P], "sum", lengths=groups.counts_R, unsafe=True)


def row_update(
    param_LD: Tensor,
    m_LD: Tensor | None,
    v_LD: Tensor,
    rows_R: Tensor | None,
    grad_RD: Tensor,
    *,
    beta1: float,
    beta2: float,
    step_size: float | Tensor,
    eps: float | Tensor,
    decay1: Tensor | None = None,
    decay2: Tensor | None = None,
    gain2: float | None = None,
    scale: Tensor | None = None,
    rest: bool = False,
    average: Average | None = None,
) -> None:
    r"""One step of Adam on the listed rows, in place; every row optimizer that divides by a root goes through here.

    .. math::
        m ← β_1 (d_1 m) + (1-β_1) g \qquad v ← β_2 (d_2 v) + k g^2 \qquad w ← w - a\, m / (\sqrt v + ε)

    ``rows_R`` are distinct; None lists every row. With ``rest`` the rows that are not listed are updated as well, with
    g = 0. ``m_LD`` None: no first moment, m = g. ``v_LD`` with one column is a second moment per row: g² is then the
    mean over the row. ``step_size`` a and ``eps`` ε are one number or one for each row updated (R, or L with ``rest``),
    (R, 1); they hold the bias corrections. ``decay1`` and ``decay2`` d, (R, 1), make up for steps that a row has sat
    out; ``scale``, (R, 1), is what the gradient is multiplied by first. ``gain2`` k is 1-β2 unless given (Adagrad:
    β2 = k = 1). With an ``average``, which does not go with ``rest``, it is z that steps.

    Only single multiplications, additions, roots and divisions are used: each is rounded correctly on its own, so a row
    gets the same bits however many rows are listed with it. Compiled loops give these bits too, but for the mean over a
    row, which they sum in float64.
    """
    assert average is None or not rest
    gain = 1 - beta2 if gain2 is None else gain2
    size = max(1, _BLOCK // max(1, param_LD.shape[1]))
    source, places_L = grad_RD, None
    if rest and rows_R is not None:  # what is not listed finds its gradient in one more row, of zeros
        source = torch.cat((grad_RD, grad_RD.new_zeros(1, grad_RD.shape[1])))
        places_L = rows_R.new_full((len(param_LD),), len(grad_RD))
        places_L[rows_R] = torch.arange(len(grad_RD), device=rows_R.device)
        rows_R = None
    with _averaged(param_LD, rows_R, grad_RD.shape[0], average):
        for start in range(0, len(grad_RD) if places_L is None else len(places_L), size):
            block = slice(start, start + size)
            rows = block if rows_R is None else rows_R[block]
            g = source[block] if places_L is None else source.index_select(0, places_L[block])
            if scale is not None:
                g = g * scale[block]
            v = _take(v_LD, rows)
            square = g * g
            if v.shape[1] < g.shape[1]:
                square = _row_mean(square)
            if decay2 is not None:
                v.mul_(decay2[block])
            v.mul_(beta2).add_(square.mul_(gain))
            _put(v_LD, rows, v)
            if m_LD is None:
                m = g
            else:
                m = _take(m_LD, rows)
                if decay1 is not None:
                    m.mul_(decay1[block])
                m.mul_(beta1).add_(g * (1 - beta1))
                _put(m_LD, rows, m)
            denominator = root(v).add_(eps[block] if isinstance(eps, Tensor) else eps)
            step = (m / denominator).mul_(step_size[block] if isinstance(step_size, Tensor) else step_size)
            _put(param_LD, rows, _take(param_LD, rows).sub_(step))


def sign_update(
    param_LD: Tensor, rows_R: Tensor | None, grad_RD: Tensor, step_size: float, average: Average | None = None
) -> None:
    """``w - step_size * sign(g)`` in the listed rows, in place; None lists every row.

    The sign of 0 is 0. NaN and infinities have none: they make their elements NaN.
    """
    with _averaged(param_LD, rows_R, grad_RD.shape[0], average):
        for rows, block in _blocks(rows_R, grad_RD.shape[0], param_LD.shape[1]):
            g = grad_RD[block]
            step = g.sign().mul_(-step_size).add_(g * 0)
            _put(param_LD, rows, _take(param_LD, rows).add_(step))


@contextlib.contextmanager
def _averaged(param_LD: Tensor, rows_R: Tensor | None, listed: int, average: Average | None) -> Iterator[None]:
    """Within it the listed rows are their z, as :class:`Average` says; afterwards they are y again."""
    if average is None:
        yield
        return
    lag_LD, lead_L1, weight, lead = average
    blocks, before = list(_blocks(rows_R, listed, param_LD.shape[1])), []
    for rows, _ in blocks:
        z = _take(param_LD, rows).sub_(_take(lag_LD, rows) * _take(lead_L1, rows))
        _put(param_LD, rows, z)
        before.append(z.clone())
    yield
    for (rows, _), z_before in zip(blocks, before, strict=True):
        z, lag = _take(param_LD, rows), _take(lag_LD, rows)
        lag.sub_((z - z_before).mul_(weight))
        _put(lag_LD, rows, lag)
        _put(param_LD, rows, z.add_(lag * lead))
        lead_L1[rows] = lead


def _blocks(rows_R: Tensor | None, listed: int, features: int) -> Iterator[tuple[slice | Tensor, slice]]:
    """The listed rows, a few at a time: which of the parameter's, and which of the list."""
    size = max(1, _BLOCK // max(1, features))
    for start in range(0, listed, size):
        block = slice(start, start + size)
        yield block if rows_R is None else rows_R[block], block


def root(x: Tensor) -> Tensor:
    """Square roots, each rounded correctly: torch takes MKL's on a CPU, of which one in six is not (float32)."""
    exact = x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64)
    if not exact and not torch.compiler.is_compiling():
        with np.errstate(invalid="ignore"):
            return torch.from_numpy(np.sqrt(x.numpy()))
    return x.sqrt()


def _take(x_LD: Tensor, rows: slice | Tensor) -> Tensor:
    """The rows: where they stand for a slice, else gathered (index_select took 0.6 of the time of ``x[rows]``)."""
    return x_LD[rows] if isinstance(rows, slice) else x_LD.index_select(0, rows)


def _put(x_LD: Tensor, rows: slice | Tensor, new_RD: Tensor) -> None:
    """Write back what :func:`_take` gathered; rows of a slice have been changed where they stand."""
    if not isinstance(rows, slice):
        x_LD.index_copy_(0, rows, new_RD)


def _row_mean(x_RD: Tensor) -> Tensor:
    """Mean of each row, (R, 1). A lone long row is doubled: torch cuts a single sum among threads, many sums never."""
    if len(x_RD) == 1:
        return torch.cat((x_RD, x_RD)).mean(1, keepdim=True)[:1]
    return x_RD.mean(1, keepdim=True)


__all__ = [
    "Average",
    "Groups",
    "Terms",
    "decode",
    "exhaust",
    "find_best",
    "group_by_row",
    "mostly_on",
    "root",
    "round_rows",
    "row_checks",
    "row_gradient",
    "row_sum",
    "row_update",
    "sampled_products",
    "samples_of_pairs",
    "sign_update",
]
