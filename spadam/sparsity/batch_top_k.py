"""The batch keeps its k x B largest, however they fall on the samples."""

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor
from typing_extensions import override

from spadam.sparsity.rule import Selection, from_mask, top_per_sample
from spadam.sparsity.scheduled_k import ScheduledK

EMA_WEIGHT = 0.01  # SAELens, `topk_threshold_lr`


class BatchTopK(ScheduledK):
    """The k x B largest scores of a batch of B samples stay on; before a relu only those that are positive.

    Evaluation does not look at other samples: a latent is on when its score reaches a threshold, which ``threshold``
    names. It stands in a buffer, in units of scores.

    - ``calibrated``: of given training samples (``calibrate``) the score that keeps k a sample, exactly but for
      ties. What training sees is then what is judged. It holds for the weights that gave the scores: calibrate again
      when they have changed. Before the first time, ``mean`` stands in.
    - ``ema``: each training batch moves it by .01 towards its smallest positive kept score, from 0 and without
      correction, as SAELens does. After n batches a steady score has been reached to 1 - .99ⁿ.
    - ``mean``: the mean over all training batches of the smallest kept score, those of early weights included.

    Before the first batch there is nothing of the kind; the batch at hand then gives its own. The two means lag behind
    weights that move, and behind a k that is scheduled.

    Reference: Bussmann, Leask and Nanda, "BatchTopK Sparse Autoencoders", 2024.
    """

    score_buffers = ("threshold", "threshold_sum")

    threshold: Tensor
    """() float64; infinite while there is none. Not with ``mean``."""
    threshold_sum: Tensor
    """() float64, of the smallest kept scores of all batches. Not with ``ema``."""
    batches: Tensor
    """() int64, those that kept something. Not with ``ema``."""

    def __init__(
        self,
        k: int,
        threshold: Literal["calibrated", "ema", "mean"] = "calibrated",
        k_from: int | None = None,
        k_steps: int | None = None,
    ) -> None:
        super().__init__(k, k_from, k_steps)
        self.source = threshold
        if threshold != "mean":
            self.register_buffer("threshold", torch.full((), torch.inf, dtype=torch.float64))
        if threshold != "ema":
            # A sum in float64, not a running mean: the order of roundings is then plain, and nothing drifts.
            self.register_buffer("threshold_sum", torch.zeros((), dtype=torch.float64))
            self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def training_selection(self, scores_BL: Tensor) -> Selection:
        """The k x B best of the whole batch."""
        best = scores_BL.reshape(-1).topk(self.k * len(scores_BL), sorted=False).indices
        mask_BL = torch.zeros_like(scores_BL, dtype=torch.bool)
        mask_BL.view(-1)[best] = True
        return self._kept(scores_BL, mask_BL)

    def evaluation_selection(self, scores_BL: Tensor, k: int | None = None) -> Selection:
        """What reaches the threshold, or the best k of each sample."""
        if k is not None:
            return top_per_sample(scores_BL, k)
        if (threshold := self._threshold()) is None:
            return self.training_selection(scores_BL)
        return self._kept(scores_BL, scores_BL >= threshold)

    @override
    def evaluation_bound(self) -> Tensor | None:
        """The next number below the threshold, which is on itself, and is rounded where it meets scores."""
        if (threshold := self._threshold()) is None:
            return None
        below = threshold.float().nextafter(torch.tensor(-torch.inf, device=threshold.device))
        return below.clamp(min=0) if self.relu else below

    def _kept(self, scores_BL: Tensor, mask_BL: Tensor) -> Selection:
        return from_mask(mask_BL & (scores_BL > 0) if self.relu else mask_BL)

    def _threshold(self) -> Tensor | None:
        """The threshold, (); None while nothing is known."""
        if self.source != "mean" and self.threshold.isfinite():
            return self.threshold
        if self.source == "ema" or self.batches == 0:
            return None
        return self.threshold_sum / self.batches

    def observe(self, selection: Selection, scores_P: Tensor) -> None:
        """Add the smallest kept score to the mean, or move towards the smallest positive one."""
        if not scores_P.shape[0]:
            return
        if self.source != "ema":
            self.threshold_sum += scores_P.min()
            self.batches += 1
            return
        smallest = torch.where(scores_P > 0, scores_P, torch.inf).min().double()
        before = self.threshold.where(self.threshold.isfinite(), 0.0)
        moved = (1 - EMA_WEIGHT) * before + EMA_WEIGHT * smallest
        self.threshold.copy_(torch.where(smallest.isfinite(), moved, self.threshold))

    @override
    def calibrate(self, samples: int, blocks: Iterable[Tensor]) -> None:
        """With ``calibrated``, find the score that keeps k a sample; with the others nothing is asked for."""
        if self.source == "calibrated":
            self.threshold.copy_(_score_of_rank(self.k * samples, blocks, positive=self.relu))


def _score_of_rank(rank: int, blocks: Iterable[Tensor], positive: bool) -> Tensor:
    """The ``rank``-th largest score of all blocks, (), while little more than so many are held.

    If ``positive``, of the positive ones: 0 when there are fewer.
    """
    best_M, bar = torch.empty(0), torch.zeros(()) if positive else torch.tensor(-torch.inf)
    for scores_BL in blocks:
        best_M, bar = best_M.to(scores_BL), bar.to(scores_BL)
        best_M = torch.cat([best_M, scores_BL[scores_BL > bar]])
        if len(best_M) >= rank:
            best_M = best_M.topk(rank, sorted=False).values
            bar = best_M.min()
    return bar
