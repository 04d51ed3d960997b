"""How a configuration describes a k that changes over the first steps of a training."""

from __future__ import annotations

from abc import ABC

from pydantic import PositiveInt, model_validator
from typing_extensions import override

from spadam.sparsity.spec import BaseRuleSpec
from spadam.spec import InputError


class ScheduledKSpec(BaseRuleSpec, ABC):
    """Describes a rule whose k may go from one number to another while it is trained."""

    k: PositiveInt = 25
    """Latents that a sample keeps."""
    k_from: PositiveInt | None = None
    """What k begins at: from there it goes to `k` in a line, rounded, over `k_steps` steps, and stays. Evaluations use
    the k of their moment. null: it is `k` throughout."""
    k_steps: PositiveInt | None = None
    """Training steps after which k has come from `k_from` to `k`."""

    @model_validator(mode="after")
    def _check_schedule(self) -> ScheduledKSpec:
        if self.k_from is not None and self.k_steps is None:
            rule = "it must be known over how many steps k goes from there to `k`"
            raise InputError("model.rule.k_from", self.k_from, rule, "set model.rule.k_steps")
        if self.k_steps is not None and self.k_from is None:
            rule = "it must be known where k begins"
            raise InputError("model.rule.k_steps", self.k_steps, rule, "set model.rule.k_from")
        return self

    @override
    def per_sample_k(self, latents: int) -> int:
        """The k at which a schedule ends."""
        return self.k

    @override
    def rows_bound(self, latents: int, batch: int) -> float | None:
        """By the largest k that a training has."""
        return float(1 - (1 - max(self.k, self.k_from or 0) / latents) ** batch)

    @override
    def check(self, latents: int) -> None:
        super().check(latents)
        if self.k_from is not None and self.k_from > latents:
            rule = f"k_from <= latents must hold, but latents = {latents}"
            raise InputError("model.rule.k_from", self.k_from, rule, "lower k_from or add latents")
