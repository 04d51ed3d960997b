"""How a configuration describes BatchTopK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt
from typing_extensions import override

from spadam.sparsity.specs.scheduled_k import ScheduledKSpec

if TYPE_CHECKING:
    from spadam.sparsity.batch_top_k import BatchTopK

Threshold = Literal["calibrated", "ema", "mean"]
"""Where the threshold of an evaluation comes from."""


class BatchTopKSpec(ScheduledKSpec):
    """The batch keeps its k x B largest, with `activation: relu` only what is positive; evaluation has a threshold."""

    name: Literal["batch_top_k"] = "batch_top_k"
    k: PositiveInt = 25
    """Latents that a sample keeps on average."""
    threshold: Threshold = "calibrated"
    """The score from which on a latent is on in evaluation. `calibrated`: found at every evaluation, the one that keeps
    k a sample on at most 10,000 training samples. `ema`: SAELens's, .01 of each batch's smallest positive kept score.
    `mean`: the mean over all batches of the smallest kept score."""

    @override
    def build(self, latents: int) -> BatchTopK:
        """The rule; the number of latents makes no difference to it."""
        from spadam.sparsity.batch_top_k import BatchTopK

        return BatchTopK(self.k, self.threshold, self.k_from, self.k_steps)
