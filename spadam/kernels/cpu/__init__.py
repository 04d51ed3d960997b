"""The hot loops for a CPU, compiled: :mod:`spadam.kernels.reference` says what each means, and is its twin.

A call that a loop does not take (another element type, pairs so many that a product of whole matrices is cheaper) is
handed to the reference.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from spadam.kernels import reference
from spadam.kernels.cpu import pairs
from spadam.kernels.cpu.compiling import TYPES, follow_torch
from spadam.kernels.cpu.row_ops import row_update, sign_update
from spadam.kernels.cpu.topk_ops import exhaust, find_best, round_rows, row_checks
from spadam.kernels.reference import Groups, Terms


def group_by_row(latents_P: Tensor, offsets_B: Tensor, rows: int) -> Groups:
    """Sort pairs by latent, keeping sample order within a latent."""
    pairs_count = latents_P.shape[0]
    rows_R, starts_R, counts_R = np.empty((3, min(rows, pairs_count)), np.int64)
    order_P, samples_P = np.empty((2, pairs_count), np.int64)
    grouped = (rows_R, starts_R, counts_R, order_P, samples_P)
    found = pairs.group_by_row(latents_P.numpy(), offsets_B.numpy(), np.zeros(rows, np.int64), *grouped)
    of_rows = (rows_R[:found], starts_R[:found], counts_R[:found])
    return Groups(*(torch.from_numpy(array) for array in (*of_rows, order_P, samples_P)))


def decode(latents_P: Tensor, values_P: Tensor, offsets_B: Tensor, weight_LD: Tensor) -> Tensor:
    """Sum of ``value * weight[latent]`` over each sample's pairs, (B, D)."""
    if not _fits(weight_LD) or _mostly_on(latents_P.shape[0], offsets_B.shape[0], weight_LD.shape[0]):
        return reference.decode(latents_P, values_P, offsets_B, weight_LD)
    out_BD = weight_LD.new_empty(offsets_B.shape[0], weight_LD.shape[1])
    follow_torch(latents_P.shape[0] * weight_LD.shape[1])
    pairs.decode(*_arrays(latents_P, values_P, offsets_B, weight_LD, out_BD))
    return out_BD


def sampled_products(latents_P: Tensor, offsets_B: Tensor, left_BD: Tensor, weight_LD: Tensor) -> Tensor:
    """``left[sample] . weight[latent]`` for every pair, (P,)."""
    if not _fits(weight_LD) or _mostly_on(latents_P.shape[0], left_BD.shape[0], weight_LD.shape[0]):
        return reference.sampled_products(latents_P, offsets_B, left_BD, weight_LD)
    out_P = left_BD.new_empty(latents_P.shape[0])
    follow_torch(latents_P.shape[0] * weight_LD.shape[1])
    pairs.sampled_products(*_arrays(latents_P, offsets_B, left_BD, weight_LD, out_P))
    return out_P


def row_gradient(groups: Groups, first: Terms, second: Terms | None = None) -> Tensor:
    """Sum of ``value * left[sample]`` over each row's pairs, (R, D); of both terms, if there are two."""
    values_P, left_BD = first
    if not _fits(left_BD) or _mostly_on(values_P.shape[0], left_BD.shape[0], groups.rows_R.shape[0]):
        return reference.row_gradient(groups, first, second)
    more_P, more_BD = second or (values_P[:0], left_BD)
    rows_R, *grouped = groups
    out_RD = left_BD.new_empty(rows_R.shape[0], left_BD.shape[1])
    follow_torch(values_P.shape[0] * left_BD.shape[1])
    pairs.row_gradient(*_arrays(values_P, left_BD, more_P, more_BD, *grouped, out_RD))
    return out_RD


def row_sum(values_P: Tensor, groups: Groups) -> Tensor:
    """Sum of the values of each row's pairs, (R,)."""
    if not _fits(values_P):
        return reference.row_sum(values_P, groups)
    _, starts_R, counts_R, order_P, _ = groups
    out_R = values_P.new_empty(starts_R.shape[0])
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
    "round_rows",
    "row_checks",
    "row_gradient",
    "row_sum",
    "row_update",
    "sampled_products",
    "sign_update",
]
