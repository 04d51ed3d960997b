"""How a configuration describes TopK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from spadam.sparsity.specs.scheduled_k import ScheduledKSpec

if TYPE_CHECKING:
    from spadam.sparsity.top_k import TopK


class TopKSpec(ScheduledKSpec):
    """Each sample keeps its k largest; `lifetime` adds for every latent its best sample of the batch."""

    gatherable = True

    name: Literal["top_k"] = "top_k"
    lifetime: bool = False
    """In training, every latent also keeps its best sample of the batch."""

    @override
    def rows_bound(self, latents: int, batch: int) -> float | None:
        """None with lifetime sparsity, which touches every row."""
        return None if self.lifetime else super().rows_bound(latents, batch)

    @override
    def evaluated_k(self, latents: int) -> int:
        return self.k

    def build(self, latents: int) -> TopK:
        """The rule; the number of latents makes no difference to it."""
        from spadam.sparsity.top_k import TopK

        return TopK(self.k, self.lifetime, self.k_from, self.k_steps)
