"""How a configuration describes Lifetime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from spadam.sparsity.spec import BaseRuleSpec

if TYPE_CHECKING:
    from spadam.sparsity.lifetime import Lifetime


class LifetimeSpec(BaseRuleSpec):
    """Winner-take-all: each latent keeps its best `rate` share of the batch; evaluation is unmasked."""

    name: Literal["lifetime"] = "lifetime"
    rate: Annotated[float, Field(gt=0, le=1)] = 0.05  # Makhzani and Frey 2015 use 5 % for fully connected layers
    """Share of the batch that each latent keeps."""

    def per_sample_k(self, latents: int) -> int:
        """As many per sample as there are on average in training: round(rate x latents), at least one."""
        return max(1, round(self.rate * latents))

    def rows_bound(self, latents: int, batch: int) -> None:
        """There is none: every latent is on in some sample."""
        return

    def build(self, latents: int) -> Lifetime:
        """The rule."""
        from spadam.sparsity.lifetime import Lifetime

        return Lifetime(self.rate, self.per_sample_k(latents))
