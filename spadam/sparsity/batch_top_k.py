"""The batch keeps its k x B largest, however they fall on the samples."""

import torch
from torch import Tensor

from spadam.sparsity.rule import Selection, from_mask, top_per_sample
from spadam.sparsity.scheduled_k import ScheduledK


class BatchTopK(ScheduledK):
    """The k x B largest scores of a batch of B samples stay on.

    Evaluation does not look at other samples: a latent is on when its score reaches a threshold, the mean over all
    training batches of the smallest score that was kept. Before the first batch there is no such mean; the batch at
    hand then gives its own.

    Reference: Bussmann, Leask and Nanda, "BatchTopK Sparse Autoencoders", 2024.
    """

    threshold_sum: Tensor
    batches: Tensor

    def __init__(self, k: int, k_from: int | None = None, k_steps: int | None = None) -> None:
        super().__init__(k, k_from, k_steps)
        # A sum in float64, not a running mean: the order of roundings is then plain, and nothing drifts.
        self.register_buffer("threshold_sum", torch.zeros((), dtype=torch.float64))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def training_selection(self, scores_BL: Tensor) -> Selection:
        """The k x B best of the whole batch."""
        best = scores_BL.reshape(-1).topk(self.k * len(scores_BL), sorted=False).indices
        mask_BL = torch.zeros_like(scores_BL, dtype=torch.bool)
        mask_BL.view(-1)[best] = True
        return from_mask(mask_BL)

    def evaluation_selection(self, scores_BL: Tensor, k: int | None = None) -> Selection:
        """What reaches the threshold, or the best k of each sample."""
        if k is not None:
            return top_per_sample(scores_BL, k)
        if self.batches == 0:
            return self.training_selection(scores_BL)
        return from_mask(scores_BL >= self.threshold_sum / self.batches)

    def observe(self, selection: Selection, scores_P: Tensor) -> None:
        """Add the smallest kept score to the mean."""
        self.threshold_sum += scores_P.min()
        self.batches += 1
