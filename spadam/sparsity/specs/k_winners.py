"""How a configuration describes KWinners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt
from typing_extensions import override

from spadam.sparsity.spec import BaseRuleSpec

if TYPE_CHECKING:
    from spadam.sparsity.k_winners import KWinners


class KWinnersSpec(BaseRuleSpec):
    """Each sample keeps its k largest after boosting by duty cycle."""

    name: Literal["k_winners"] = "k_winners"
    k: PositiveInt = 25
    """Latents that each sample keeps."""
    boost_strength: Annotated[float, Field(ge=0)] = 1.0
    """How strongly rarely used latents are preferred; 0 is plain top-k."""
    duty_cycle_period: PositiveInt = 1000
    """Samples over which duty cycles are averaged."""

    def per_sample_k(self, latents: int) -> int:
        """The rule's own k."""
        return self.k

    @override
    def evaluated_k(self, latents: int) -> int:
        return self.k

    def build(self, latents: int) -> KWinners:
        """The rule for that many latents."""
        from spadam.sparsity.k_winners import KWinners

        return KWinners(self.k, latents, self.boost_strength, self.duty_cycle_period)
