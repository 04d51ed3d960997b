"""Each latent keeps its best share of the batch (winner-take-all)."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from spadam.sparsity.rule import BaseRuleSpec, Rule, Selection, everything, from_mask, top_per_sample


class Lifetime(Rule):
    """Every latent stays on for the ``rate`` share of the batch on which it scores highest, at least one sample.

    Evaluation is without a mask. Reference: Makhzani and Frey, "Winner-Take-All Autoencoders", 2015.
    """

    def __init__(self, rate: float, k: int) -> None:
        super().__init__()
        self.rate = rate
        self.k: int = k

    def training_selection(self, scores_BL: Tensor) -> Selection:
        """Each latent's best ``round(rate * B)`` samples, at least one."""
        winners = max(1, round(self.rate * len(scores_BL)))
        best_wL = scores_BL.topk(winners, dim=0, sorted=False).indices
        mask_BL = torch.zeros_like(scores_BL, dtype=torch.bool)
        return from_mask(mask_BL.scatter_(0, best_wL, True))

    def evaluation_selection(self, scores_BL: Tensor, k: int | None = None) -> Selection:
        """Everything, or the best k of each sample."""
        return everything(scores_BL) if k is None else top_per_sample(scores_BL, k)


class LifetimeSpec(BaseRuleSpec):
    """Winner-take-all: each latent keeps its best `rate` share of the batch; evaluation is unmasked."""

    name: Literal["lifetime"]
    rate: Annotated[float, Field(gt=0, le=1)] = 0.05  # Makhzani and Frey 2015 use 5 % for fully connected layers
    """Share of the batch that each latent keeps."""

    def per_sample_k(self, latents: int) -> int:
        """As many per sample as there are on average in training: round(rate x latents), at least one."""
        return max(1, round(self.rate * latents))

    def build(self, latents: int) -> Lifetime:
        """The rule."""
        return Lifetime(self.rate, self.per_sample_k(latents))
