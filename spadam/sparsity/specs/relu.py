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

    l1_warmup_steps: Annotated[int, Field(ge=0)] = Field(0, exclude_if=lambda steps: steps == 0)
    """The weight rises to `l1` in a line over so many steps and is all of it in the last of them."""

    def per_sample_k(self, latents: int) -> None:
        """There is none."""
        return

    def build(self, latents: int) -> Relu:
        """The rule; the number of latents makes no difference to it."""
        from spadam.sparsity.relu import Relu

        return Relu(self.l1, self.l1_warmup_steps)
