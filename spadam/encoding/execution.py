"""The four ways to compute a code and its gradient: sparse, dense, gathered, gathered_union.

Shapes: B samples, D features, E features of what is reconstructed (D when tied), L latents, P pairs (sample, latent)
that are on, R rows with a pair, U rows in the union of a batch's masks.

Each mode takes a batch, the rule's selection with its scores, and the weights, and returns ``z W_dec`` (B, E) with the
code z. `sparse` and `dense` agree in value and in every gradient; `gathered` computes the same by the article's route.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spadam.encoding.precision import full_precision
from spadam.encoding.scored import Scored
from spadam.kernels import choose
from spadam.kernels.reference import Groups
from spadam.sparsity.rule import Selection, to_mask


class Code(NamedTuple):
    """A sparse code: the pairs that are on and their values after the activation, (P,)."""

    selection: Selection
    values_P: Tensor
    groups: Groups | None = None
    """The pairs by row, where a gradient needs them so."""

    def dense(self, latents: int) -> Tensor:
        """The code as a matrix, (B, L)."""
        code_BL = self.values_P.new_zeros(len(self.selection.offsets_B), latents)
        return code_BL.index_put((self.selection.samples(), self.selection.latents_P), self.values_P)


class Weights(NamedTuple):
    """What a code is computed with; ``decoder_LE`` is ``encoder_LD`` itself when tied."""

    encoder_LD: Tensor
    bias_L: Tensor
    decoder_LE: Tensor
    relu: bool

    @property
    def tied(self) -> bool:
        """Encoder and decoder are one matrix."""
        return self.decoder_LE is self.encoder_LD


def run_sparse(x_BD: Tensor, scored: Scored, weights: Weights) -> tuple[Tensor, Code]:
    """Touch only what is on: decode the pairs, and give the weights row-sparse (COO) gradients."""
    selection, scores_P = scored
    groups = None
    if torch.is_grad_enabled():
        groups = choose(x_BD.device).group_by_row(*selection, weights.encoder_LD.shape[0])
    decoder_LE = None if weights.tied else weights.decoder_LE
    values_P, sum_BE = _SparseCode.apply(
        x_BD, weights.encoder_LD, weights.bias_L, decoder_LE, scores_P, *selection, groups, weights.relu
    )
    return sum_BE, Code(selection, values_P, groups)


def run_dense(x_BD: Tensor, scored: Scored, weights: Weights) -> tuple[Tensor, Code]:
    """Mask times full matrices, differentiated by autograd: the plain twin of `sparse`."""
    selection = scored.selection
    mask_BL = to_mask(selection, len(weights.encoder_LD))
    kept_BL = torch.addmm(weights.bias_L, x_BD, weights.encoder_LD.T) * mask_BL
    code_BL = kept_BL.relu() if weights.relu else kept_BL
    return code_BL @ weights.decoder_LE, Code(selection, code_BL[selection.samples(), selection.latents_P])


def run_gathered(x_BD: Tensor, scored: Scored, weights: Weights) -> tuple[Tensor, Code]:
    """The article's route: reduce the masks to a union, gather its rows, encode again, mask every sample again."""
    selection = scored.selection
    mask_BL, union_U = _union(selection, weights)
    code_BU, sum_BE = _run_union(x_BD, union_U, weights, mask_BL[:, union_U])
    position_L = torch.zeros_like(mask_BL[0], dtype=torch.int64)
    position_L[union_U] = torch.arange(len(union_U), device=union_U.device)
    return sum_BE, Code(selection, code_BU[selection.samples(), position_L[selection.latents_P]])


def run_gathered_union(x_BD: Tensor, scored: Scored, weights: Weights) -> tuple[Tensor, Code]:
    """The same without the second mask: every sample keeps the latents that *any* sample of the batch chose.

    This is the article's confound, kept to show it: the training code is far denser than the evaluation code.
    """
    _, union_U = _union(scored.selection, weights)
    code_BU, sum_BE = _run_union(x_BD, union_U, weights, None)
    offsets_B = torch.arange(len(x_BD), device=union_U.device) * len(union_U)
    return sum_BE, Code(Selection(union_U.repeat(len(x_BD)), offsets_B), code_BU.reshape(-1))


Mode = Callable[[Tensor, Scored, Weights], tuple[Tensor, Code]]
MODES: dict[str, Mode] = {
    "sparse": run_sparse,
    "dense": run_dense,
    "gathered": run_gathered,
    "gathered_union": run_gathered_union,
}


def _union(selection: Selection, weights: Weights) -> tuple[Tensor, Tensor]:
    mask_BL = to_mask(selection, len(weights.encoder_LD))
    return mask_BL, mask_BL.amax(0).nonzero()[:, 0]


def _run_union(x_BD: Tensor, union_U: Tensor, weights: Weights, mask_BU: Tensor | None) -> tuple[Tensor, Tensor]:
    encoder_UD = _GatheredRows.apply(weights.encoder_LD, union_U)
    bias_U = _GatheredRows.apply(weights.bias_L, union_U)
    decoder_UE = encoder_UD if weights.tied else _GatheredRows.apply(weights.decoder_LE, union_U)
    kept_BU = torch.addmm(bias_U, x_BD, encoder_UD.T)
    if mask_BU is not None:
        kept_BU = kept_BU * mask_BU
    code_BU = kept_BU.relu() if weights.relu else kept_BU
    return code_BU, code_BU @ decoder_UE


class _GatheredRows(torch.autograd.Function):
    """Rows of a parameter, taken from the parameter itself, so that its gradient is row-sparse (COO)."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, rows_R: Tensor) -> Tensor:
        ctx.save_for_backward(rows_R)
        ctx.shape = weight.shape
        return weight.index_select(0, rows_R)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (rows_R,) = ctx.saved_tensors
        return row_sparse(rows_R, grad.contiguous(), ctx.shape), None


class _SparseCode(torch.autograd.Function):
    """Values of the pairs that are on, and their decoded sum; backward costs what is on."""

    @staticmethod
    def forward(
        ctx: Any,
        x_BD: Tensor,
        encoder_LD: Tensor,
        bias_L: Tensor,
        decoder_LE: Tensor | None,
        scores_P: Tensor,
        latents_P: Tensor,
        offsets_B: Tensor,
        groups: Groups | None,
        relu: bool,
    ) -> tuple[Tensor, Tensor]:
        kernels = choose(x_BD.device)
        values_P = scores_P.relu() if relu else scores_P.clone()
        sum_BE = kernels.decode(latents_P, values_P, offsets_B, encoder_LD if decoder_LE is None else decoder_LE)
        ctx.save_for_backward(x_BD, encoder_LD, decoder_LE, values_P, latents_P, offsets_B)
        ctx.groups, ctx.relu, ctx.kernels = groups, relu, kernels
        ctx.set_materialize_grads(False)
        return values_P, sum_BE

    @staticmethod
    @once_differentiable
    @full_precision
    def backward(ctx: Any, grad_values_P: Tensor | None, grad_BE: Tensor | None) -> tuple[Tensor | None, ...]:
        x_BD, encoder_LD, decoder_LE, values_P, latents_P, offsets_B = ctx.saved_tensors
        kernels, groups, tied = ctx.kernels, ctx.groups, decoder_LE is None
        if grad_BE is None:
            grad_BE = x_BD.new_zeros(len(x_BD), (encoder_LD if tied else decoder_LE).shape[1])
        grad_P = kernels.sampled_products(latents_P, offsets_B, grad_BE, encoder_LD if tied else decoder_LE)
        if grad_values_P is not None:
            grad_P += grad_values_P
        if ctx.relu:
            grad_P *= values_P > 0
        by_encoding, by_decoding = (grad_P, x_BD), (values_P, grad_BE)
        encoder_RD = kernels.row_gradient(groups, by_encoding, by_decoding if tied else None)
        decoder_RE = None if tied else kernels.row_gradient(groups, by_decoding)
        bias_R = kernels.row_sum(grad_P, groups)
        rows_R = groups.rows_R
        return (
            kernels.decode(latents_P, grad_P, offsets_B, encoder_LD) if ctx.needs_input_grad[0] else None,
            row_sparse(rows_R, encoder_RD, encoder_LD.shape),
            row_sparse(rows_R, bias_R, encoder_LD.shape[:1]),
            None if decoder_RE is None else row_sparse(rows_R, decoder_RE, decoder_LE.shape),
            *(None,) * 5,
        )


def row_sparse(rows_R: Tensor, values: Tensor, shape: torch.Size) -> Tensor:
    """A row-sparse gradient; rows are distinct and ascending."""
    return torch.sparse_coo_tensor(rows_R[None], values, shape, is_coalesced=True, check_invariants=False)
