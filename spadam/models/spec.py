"""What a configuration says of a model: the autoencoder, and its probe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from spadam.sparsity import RuleSpec, TopKSpec
from spadam.spec import InputError, Spec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from spadam.models.autoencoder import SparseAutoencoder


class AutoencoderSpec(Spec):
    """A sparse autoencoder."""

    latents: PositiveInt = 1000
    """Hidden units."""
    tied: bool = True
    """One matrix for encoder and decoder (their biases are always their own)."""
    activation: Literal["linear", "relu"] = "linear"
    """What happens to the values that the rule kept."""
    init_bias: Literal["mean", "zero"] = "mean"
    """Where the decoder bias starts: the mean of the training samples, or 0."""
    decoder_norm: Literal["free", "unit"] = "free"
    """`unit`: decoder rows keep length 1, the gradient along them is projected away; untied only."""
    rule: RuleSpec = TopKSpec()
    """Which latents stay on."""
    execution: Literal["sparse", "dense", "gathered", "gathered_union"] = "sparse"
    """How a code is computed in training."""
    evaluation: Literal["native", "per_sample_k"] = "native"
    """The evaluation code: the rule's own, or k latents per sample whatever the rule."""
    selection: Literal["auto", "float32", "certified"] = "auto"
    """How each sample's best latents are found. `certified`: candidates by products in int8 or bfloat16, proven to hold
    every winner; `auto` does so on a CPU where such products are fast. Nothing but speed depends on it there."""
    eval_factor: Annotated[float, Field(gt=0)] = 3.0  # the article's code base
    """The probe sees round(k x eval_factor) latents per sample, or all of them where that is more."""
    reduction: Literal["mean", "sample"] = "mean"
    """The squared error: its mean over batch and features, or its sum over features averaged over the batch."""

    @model_validator(mode="after")
    def _check(self) -> AutoencoderSpec:
        self.rule.check(self.latents)
        if self.execution.startswith("gathered") and not self.rule.gatherable:
            rule = "gathered executions mask a gathered code again, which only the rule top_k can"
            raise InputError("model.execution", self.execution, rule, "use execution: sparse, or rule: {name: top_k}")
        if self.decoder_norm == "unit" and self.tied:
            rule = "unit decoder rows need a decoder of their own"
            raise InputError("model.decoder_norm", self.decoder_norm, rule, "set model.tied: false")
        if self.evaluation == "per_sample_k" and self.rule.per_sample_k(self.latents) is None:
            rule = f"the rule {self.rule.name} has no number of latents per sample"
            raise InputError("model.evaluation", self.evaluation, rule, "use evaluation: native, or a rule with k")
        return self

    @property
    def probe_k(self) -> int | None:
        """Latents per sample that the probe sees; None when the rule has no k: then it sees the evaluation code."""
        k = self.rule.per_sample_k(self.latents)
        return None if k is None else min(self.latents, max(1, round(k * self.eval_factor)))

    def build(self, features: int, generator: torch.Generator, mean_D: Tensor | None = None) -> SparseAutoencoder:
        """The model with fresh weights: rows from N(0, 1/features), biases 0, or ``mean_D`` in the decoder."""
        from spadam.models.autoencoder import SparseAutoencoder  # here, because torch takes seconds to import

        model = SparseAutoencoder(self, features)
        model.initialise(generator, mean_D if self.init_bias == "mean" else None)
        return model


class ProbeSpec(Spec):
    """A linear classifier on the codes."""

    lr: PositiveFloat = 1e-2
    """Learning rate of the Adam that trains it beside the autoencoder."""
    refit: Literal["auto", "always", "never"] = "auto"
    """Fit a logistic regression anew at the end; `auto`: not in search trials, unless the objective needs it."""
