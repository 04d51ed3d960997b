"""How a configuration describes KWinners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt
from typing_extensions import override

from spadam.sparsity.spec import BaseRuleSpec
from spadam.spec import InputError

if TYPE_CHECKING:
    from spadam.sparsity.k_winners import KWinners


class KWinnersSpec(BaseRuleSpec):
    """Each sample keeps its k largest after boosting by duty cycle."""

    name: Literal["k_winners"] = "k_winners"
    k: PositiveInt = 25
    """Latents that each sample keeps."""
    boost_strength: Annotated[float, Field(ge=0)] = 1.0
    """How strongly rarely used latents are preferred; 0 is plain top-k."""
    boost_strength_factor: Annotated[float, Field(ge=0, le=1)] = 1.0
    """What the boost strength is multiplied by after each epoch. nupic.torch: 0.9."""
    duty_cycle_period: PositiveInt = 1000
    """Samples over which duty cycles are averaged: in how many of them a latent was selected, whatever its value. (In
    nupic.torch: in how many its value was positive.)"""
    k_inference_factor: PositiveFloat = 1.0
    """In evaluation each sample keeps round(k x k_inference_factor). nupic.torch: 1.5."""

    @property
    def k_inference(self) -> int:
        """Latents that each sample keeps in evaluation: at least one."""
        return max(1, round(self.k * self.k_inference_factor))

    @override
    def per_sample_k(self, latents: int) -> int:
        """The rule's own k, which is that of training."""
        return self.k

    @override
    def evaluated_k(self, latents: int) -> int:
        return self.k_inference

    def build(self, latents: int) -> KWinners:
        """The rule for that many latents."""
        from spadam.sparsity.k_winners import KWinners

        return KWinners(
            self.k,
            latents,
            self.boost_strength,
            self.duty_cycle_period,
            boost_strength_factor=self.boost_strength_factor,
            k_inference=self.k_inference,
        )

    @override
    def check(self, latents: int) -> None:
        super().check(latents)
        if self.k_inference > latents:
            rule = f"k x k_inference_factor = {self.k_inference} must be at most latents = {latents}"
            raise InputError("model.rule.k_inference_factor", self.k_inference_factor, rule, "lower it or add latents")
