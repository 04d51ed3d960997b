"""How a configuration describes Relu."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from spadam.sparsity.spec import BaseRuleSpec

if TYPE_CHECKING:
    from spadam.sparsity.relu import Relu


class ReluSpec(BaseRuleSpec):
    """No mask: what is positive is on, with an optional L1 term."""

    name: Literal["relu"] = "relu"
    l1: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the L1 term: the sum of a sample's code, averaged over the batch, is added to the loss."""

    def per_sample_k(self, latents: int) -> None:
        """There is none."""
        return

    def build(self, latents: int) -> Relu:
        """The rule; the number of latents makes no difference to it."""
        from spadam.sparsity.relu import Relu

        return Relu(self.l1)
