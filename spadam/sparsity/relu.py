"""No mask: what is positive is on."""

from torch import Tensor

from spadam.sparsity.rule import Rule, Selection, from_mask, top_per_sample


class Relu(Rule):
    """Every latent with a positive score stays on; an L1 term in the loss is what may make the code sparse."""

    k = None

    def __init__(self, l1: float = 0.0) -> None:
        super().__init__()
        self.l1 = l1

    def training_selection(self, scores_BL: Tensor) -> Selection:
        """What is positive."""
        return from_mask(scores_BL > 0)

    def evaluation_selection(self, scores_BL: Tensor, k: int | None = None) -> Selection:
        """What is positive, or the best k of each sample."""
        return self.training_selection(scores_BL) if k is None else top_per_sample(scores_BL, k)

    def penalty(self, values_P: Tensor, batch: int) -> Tensor | None:
        """``l1`` times the sum of a sample's code, averaged over the batch."""
        return self.l1 * values_P.abs().sum() / batch if self.l1 else None
