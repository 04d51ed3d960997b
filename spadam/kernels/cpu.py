"""The hot loops for a CPU, compiled: :mod:`spadam.kernels.reference` says what each means, and is its twin.

A call that a loop does not take (another element type, pairs so many that a product of whole matrices is cheaper) is
handed to the reference.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spadam.kernels import pairs, reference
from spadam.kernels.compiling import TYPES, follow_torch
from spadam.kernels.cpu_rows import row_update
from spadam.kernels.cpu_search import exhaust, find_best, measure_rows, round_rows
from spadam.kernels.reference import Groups, Terms, samples_of_pairs


def group_by_row(latents_P: Tensor, rows: int) -> Groups:
    """Sort pairs by latent, keeping sample order within a latent."""
    ends_L = torch.zeros(rows, dtype=torch.int64)
    order_P = torch.empty_like(latents_P)
    most = min(rows, len(latents_P))
    rows_R, starts_R = (torch.empty(most, dtype=torch.int64) for _ in range(2))
    found = pairs.group_by_row(*(x.numpy() for x in (latents_P, ends_L, rows_R, starts_R, order_P)))
    rows_R, starts_R = rows_R[:found], starts_R[:found]
    counts_R = torch.diff(starts_R, append=starts_R.new_tensor([len(latents_P)]))
    return Groups(rows_R, starts_R, counts_R, order_P)


def decode(latents_P: Tensor, values_P: Tensor, offsets_B: Tensor, weight_LD: Tensor) -> Tensor:
    """Sum of ``value * weight[latent]`` over each sample's pairs, (B, D)."""
    if not _fits(weight_LD) or _mostly_on(len(latents_P), len(offsets_B), len(weight_LD)):
        return reference.decode(latents_P, values_P, offsets_B, weight_LD)
    out_BD = weight_LD.new_empty(len(offsets_B), weight_LD.shape[1])
    follow_torch(len(latents_P) * weight_LD.shape[1])
    pairs.decode(*_arrays(latents_P, values_P, offsets_B, weight_LD, out_BD))
    return out_BD


def sampled_products(left_BD: Tensor, weight_LD: Tensor, samples_P: Tensor, latents_P: Tensor) -> Tensor:
    """``left[sample] . weight[latent]`` for every pair, (P,)."""
    if not _fits(weight_LD) or _mostly_on(len(latents_P), len(left_BD), len(weight_LD)):
        return reference.sampled_products(left_BD, weight_LD, samples_P, latents_P)
    out_P = left_BD.new_empty(len(latents_P))
    follow_torch(len(latents_P) * weight_LD.shape[1])
    pairs.sampled_products(*_arrays(left_BD, weight_LD, samples_P, latents_P, out_P))
    return out_P


def row_gradient(samples_P: Tensor, groups: Groups, first: Terms, second: Terms | None = None) -> Tensor:
    """Sum of ``value * left[sample]`` over each row's pairs, (R, D); of both terms, if there are two."""
    values_P, left_BD = first
    if not _fits(left_BD) or _mostly_on(len(values_P), len(left_BD), len(groups.rows_R)):
        return reference.row_gradient(samples_P, groups, first, second)
    more_P, more_BD = second or (values_P[:0], left_BD)
    _, starts_R, counts_R, order_P = groups
    out_RD = left_BD.new_empty(len(groups.rows_R), left_BD.shape[1])
    follow_torch(len(values_P) * left_BD.shape[1])
    pairs.row_gradient(*_arrays(values_P, left_BD, more_P, more_BD, samples_P, starts_R, counts_R, order_P, out_RD))
    return out_RD


def row_sum(values_P: Tensor, groups: Groups) -> Tensor:
    """Sum of the values of each row's pairs, (R,)."""
    if not _fits(values_P):
        return reference.row_sum(values_P, groups)
    _, starts_R, counts_R, order_P = groups
    out_R = values_P.new_empty(len(starts_R))
    pairs.row_sum(*_arrays(values_P, starts_R, counts_R, order_P, out_R))
    return out_R


def _mostly_on(pairs: int, samples: int, rows: int) -> bool:
    """Whether products of whole matrices are cheaper: each pair costs about three times what it does there."""
    return 3 * pairs > samples * rows


def _fits(tensor: Tensor) -> bool:
    return tensor.dtype in TYPES


def _arrays(*tensors: Tensor) -> list[Any]:
    """The same memory as arrays, row after row."""
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


__all__ = [
    "decode",
    "exhaust",
    "find_best",
    "group_by_row",
    "measure_rows",
    "round_rows",
    "row_gradient",
    "row_sum",
    "row_update",
    "sampled_products",
    "samples_of_pairs",
]
