"""How a configuration describes BatchTopK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt
from typing_extensions import override

from spadam.sparsity.specs.scheduled_k import ScheduledKSpec

if TYPE_CHECKING:
    from spadam.sparsity.batch_top_k import BatchTopK


class BatchTopKSpec(ScheduledKSpec):
    """The batch keeps its k x B largest; evaluation uses the mean smallest kept score as a threshold."""

    name: Literal["batch_top_k"] = "batch_top_k"
    k: PositiveInt = 25
    """Latents that a sample keeps on average."""

    @override
    def build(self, latents: int) -> BatchTopK:
        """The rule; the number of latents makes no difference to it."""
        from spadam.sparsity.batch_top_k import BatchTopK

        return BatchTopK(self.k, self.k_from, self.k_steps)
