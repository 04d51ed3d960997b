"""No mask: what is positive is on."""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from spadam.sparsity.rule import BaseRuleSpec, Rule, Selection, from_mask, top_per_sample


class Relu(Rule):
    """Every latent with a positive score stays on; an L1 term in the loss is what may make the code sparse."""

    k = None

    def training_selection(self, scores_BL: Tensor) -> Selection:
        """What is positive."""
        return from_mask(scores_BL > 0)

    def evaluation_selection(self, scores_BL: Tensor, k: int | None = None) -> Selection:
        """What is positive, or the best k of each sample."""
        return self.training_selection(scores_BL) if k is None else top_per_sample(scores_BL, k)


class ReluSpec(BaseRuleSpec):
    """No mask: what is positive is on, with an optional L1 term."""

    name: Literal["relu"]
    l1: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the L1 term: the sum of a sample's code, averaged over the batch, is added to the loss."""

    def per_sample_k(self, latents: int) -> None:
        """There is none."""
        return

    def build(self, latents: int) -> Relu:
        """The rule; the number of latents makes no difference to it."""
        return Relu()
