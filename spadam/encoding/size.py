r"""How large a code is: what its latents add to the reconstruction, each by its length.

Shapes: B samples, E features of what is reconstructed, L latents, P pairs (sample, latent) that are on, R rows with a
pair.

.. math:: \frac{1}{B} \sum_b \sum_i |z_{bi}| \, |d_i|

with z the code and d the decoder's rows: :math:`z_i d_i` is what latent i adds, so this does not change when a row is
made longer and its code smaller by as much. Both functions below agree in value and in every gradient.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spadam.encoding.execution import Code, row_sparse
from spadam.kernels import choose
from spadam.kernels.reference import Groups


def sparse_size(code: Code, decoder_LE: Tensor) -> Tensor:
    """The size of ``code``, (); the decoder's gradient is row-sparse (COO), over the rows that have a pair."""
    latents_P, offsets_B = code.selection
    groups = code.groups or choose(decoder_LE.device).group_by_row(latents_P, offsets_B, len(decoder_LE))
    total: Tensor = _Sizes.apply(code.values_P, decoder_LE, latents_P, groups)
    return total / len(offsets_B)


def dense_size(code: Code, decoder_LE: Tensor) -> Tensor:
    """The same with whole matrices, differentiated by autograd: the plain twin."""
    sizes_B: Tensor = code.dense(len(decoder_LE)).abs() @ torch.linalg.vector_norm(decoder_LE, dim=1)
    return sizes_B.mean()


class _Sizes(torch.autograd.Function):
    """The sum of |z| |d| over all pairs, (); backward costs what is on, and sums in one order always."""

    @staticmethod
    def forward(ctx: Any, values_P: Tensor, decoder_LE: Tensor, latents_P: Tensor, groups: Groups) -> Tensor:
        norms_R = decoder_LE.index_select(0, groups.rows_R).norm(dim=1)
        norms_L = decoder_LE.new_zeros(len(decoder_LE)).index_copy_(0, groups.rows_R, norms_R)
        norms_P = norms_L.index_select(0, latents_P)
        ctx.save_for_backward(values_P, decoder_LE, norms_R, norms_P)
        ctx.groups = groups
        return values_P.abs() @ norms_P

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        values_P, decoder_LE, norms_R, norms_P = ctx.saved_tensors
        rows_R = ctx.groups.rows_R
        sums_R = choose(values_P.device).row_sum(values_P.abs(), ctx.groups)
        # Of a row of zeros the direction is not known; torch's norm has a gradient of 0 there, and so has this.
        unit_RE = decoder_LE.index_select(0, rows_R) / norms_R.clamp_min(torch.finfo(norms_R.dtype).tiny)[:, None]
        decoder = row_sparse(rows_R, (grad * sums_R)[:, None] * unit_RE, decoder_LE.shape)
        return grad * values_P.sign() * norms_P, decoder, None, None
