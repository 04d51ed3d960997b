"""What every rule of a configuration declares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from spadam.spec import InputError, Spec

if TYPE_CHECKING:
    from spadam.sparsity.rule import Rule


class BaseRuleSpec(Spec, ABC):
    """Describes a rule."""

    gatherable: ClassVar[bool] = False
    """The rule can be used with the `gathered` executions, which mask again after gathering rows."""

    @abstractmethod
    def per_sample_k(self, latents: int) -> int | None:
        """Latents per sample out of ``latents``, for what forces a number on the rule; None if there is none."""

    def evaluated_k(self, latents: int) -> int | None:
        """Latents on per sample in the evaluation code, at most; None where the rule keeps to no number there."""
        return None

    @property
    def penalises(self) -> bool:
        """The rule has a term of its own in the loss."""
        return False

    def rows_bound(self, latents: int, batch: int) -> float | None:
        """1 - (1 - k/latents)^batch: no independent samples with k latents on touch a larger share of the rows.

        None for a rule that does not keep to a k in training.
        """
        k = self.per_sample_k(latents)
        return None if k is None else float(1 - (1 - k / latents) ** batch)

    @abstractmethod
    def build(self, latents: int) -> Rule:
        """The rule for a model with that many latents."""

    def check(self, latents: int) -> None:
        """Raise :class:`InputError` when the rule cannot work with that many latents."""
        k = self.per_sample_k(latents)
        if k is not None and k > latents:
            raise InputError(
                "model.rule.k", k, f"k <= latents must hold, but latents = {latents}", "lower k or add latents"
            )
