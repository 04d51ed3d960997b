"""No mask: what is positive is on."""

import torch
from torch import Tensor
from typing_extensions import override

from spadam.sparsity.rule import Rule, Selection, from_mask, top_per_sample


class Relu(Rule):
    r"""Every latent with a positive score stays on; an L1 term in the loss is what may make the code sparse.

    .. math:: \frac{1}{B} \sum_b \Big( |x_b - \hat x_b|^2 + λ \sum_i |z_{bi}| \, |d_i| \Big)

    with λ ``l1`` and d_i the decoder row of latent i: what is small is what a latent adds to the reconstruction. A term
    of ``|z|`` alone can be had for nothing, by small codes and long rows. With `reduction: mean` the whole is divided
    by the number of features, so that λ means the same. Where `decoder_norm` is unit, ``|d|`` is 1.

    Reference: Conerly, Templeton, Bricken, Marcus and Henighan, "Update on how we train SAEs", Transformer Circuits,
    April 2024; with rows of length 1 it is the term of Bricken et al., "Towards Monosemanticity", 2023.
    """

    k = None

    batches: Tensor
    """Training batches so far, (), int64; there only while a warm-up needs to know."""

    def __init__(self, l1: float = 0.0, l1_warmup_steps: int = 0) -> None:
        super().__init__()
        self.l1, self.l1_warmup_steps = l1, l1_warmup_steps
        if l1_warmup_steps:
            self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def training_selection(self, scores_BL: Tensor) -> Selection:
        """What is positive."""
        return from_mask(scores_BL > 0)

    def evaluation_selection(self, scores_BL: Tensor, k: int | None = None) -> Selection:
        """What is positive, or the best k of each sample."""
        return self.training_selection(scores_BL) if k is None else top_per_sample(scores_BL, k)

    @override
    def evaluation_bound(self) -> Tensor:
        return torch.zeros(())

    def penalty(self, size: Tensor) -> Tensor:
        """``l1`` times the size of the code; in step t of a warm-up t/steps of it."""
        whole = self.l1 * size
        return whole * (self.batches / self.l1_warmup_steps).clamp(max=1) if self.l1_warmup_steps else whole

    def observe(self, selection: Selection, scores_P: Tensor) -> None:
        """Count the batch."""
        if self.l1_warmup_steps:
            self.batches += 1
