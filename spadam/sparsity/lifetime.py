"""Each latent keeps its best share of the batch (winner-take-all)."""

import torch
from torch import Tensor
from typing_extensions import override

from spadam.sparsity.rule import Rule, Selection, everything, from_mask, top_per_sample


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

    @override
    def evaluation_bound(self) -> Tensor:
        return torch.tensor(-torch.inf)
