"""What a configuration says of a model: the autoencoder, and its probe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, model_validator
from typing_extensions import override

from spadam import machine
from spadam.models.task_spec import TaskSpec
from spadam.sparsity import RuleSpec, TopKSpec
from spadam.spec import InputError, Spec, imported

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from spadam.data import Dataset


_FLOAT_BYTES = 4
_MOST_LATENTS = 100_000_000
"""Of any machine; what this one bears is known with the number of features."""


def name_of_model(model: Any) -> Any:
    """The name of what stands under `model`: an autoencoder need not say that it is one."""
    return model.get("name", "autoencoder") if isinstance(model, Mapping) else getattr(model, "name", "autoencoder")


def check_autoencoder(name: str, folder: str) -> None:
    """Raise :class:`InputError` unless an autoencoder was trained there; ``name`` is its `model.name`."""
    if name != AutoencoderSpec.model_fields["name"].default:
        rule = f"it must hold a sparse autoencoder, and what was trained there is {name}"
        raise InputError("folder", folder, rule, "give the folder of an autoencoder's training")


class AutoencoderSpec(TaskSpec):
    """A sparse autoencoder: what is trained where `model` has no `name`."""

    builds: ClassVar[str] = "spadam.tasks.autoencoder.AutoencoderTask"
    measured: ClassVar[str] = "spadam.diagnostics.metrics.METRICS"

    name: Literal["autoencoder"] = "autoencoder"
    latents: int = Field(default=1000, gt=0, le=_MOST_LATENTS)
    """Hidden units."""
    tied: bool = True
    """One matrix for encoder and decoder (their biases are always their own); not with `data.target`."""
    activation: Literal["linear", "relu"] = "linear"
    """What happens to the values that the rule kept."""
    pre_bias: Literal["none", "mean", "learned"] = "mean"
    """What the encoder's inputs are taken about: 0 (the article), the mean of the training samples, or the decoder
    bias, which then learns from both (not with `data.target`). With `mean` a constant added to all samples changes
    nothing."""
    init_bias: Literal["mean", "zero"] = "mean"
    """Where the decoder bias starts: the mean of the training samples (of their targets, where `data.target` gives
    some), or 0."""
    init_scale: PositiveFloat | None = None
    """Standard deviation of the normal distribution that the rows are drawn from; null: 1/√features (of the rows: a
    decoder for targets of another width draws its own, 1/√ of theirs)."""
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
    every winner; `auto` does so on a CPU where such products are fast. Nothing but speed depends on it there; weights
    written past torch's count of changes (`.data`) are found out by the next evaluation, or within 64 steps."""
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
    @override
    def meanings(self) -> Mapping[str, str]:
        """Of the penalty: it was of |z| alone, whatever the reduction."""
        return {"penalty": "of |z| |d|, reduced as the error is"} if self.rule.penalises else {}

    @property
    def probe_k(self) -> int | None:
        """Latents per sample that the probe sees; None when the rule has no k: then it sees the evaluation code."""
        k = self.rule.per_sample_k(self.latents)
        return None if k is None else min(self.latents, max(1, round(k * self.eval_factor)))

    @override
    def check_targets(self) -> None:
        """Refuse what takes samples and targets for one space; :class:`InputError`."""
        if self.tied:
            rule = (
                "the decoder of targets (data.target) has rows in another space than the encoder's, even where both "
                "are of one width"
            )
            raise InputError("model.tied", self.tied, rule, "set model.tied: false")
        if self.pre_bias == "learned":
            rule = "the decoder bias lies among the targets (data.target), and samples are not taken about it"
            raise InputError("model.pre_bias", self.pre_bias, rule, "use mean or none")

    def build(
        self,
        features: int,
        generator: torch.Generator,
        mean_D: Tensor | None = None,
        targets: int | None = None,
        target_mean_E: Tensor | None = None,
    ) -> Any:
        """The :class:`spadam.models.autoencoder.SparseAutoencoder` with fresh weights.

        Rows are drawn from N(0, 1/features), or as `init_scale` says; biases are 0, the decoder's and the pre-bias
        ``mean_D``, the mean of the training samples, where `init_bias` and `pre_bias` say so. With ``targets`` it
        reconstructs so many features E of others than its samples, whose mean ``target_mean_E`` is then the decoder's.
        Raises :class:`InputError` where this does not go with targets.
        """
        model = imported("spadam.models.autoencoder.SparseAutoencoder")(self, features, targets)
        model.initialise(generator, mean_D, target_mean_E)
        return model

    def begin(self, dataset: Dataset, seed: int) -> Any:
        """The model as a training on ``dataset`` begins with it, its weights drawn from ``seed``.

        Raises :class:`InputError` when this machine has no memory for its weights.
        """
        from spadam.data.splits import seeded

        features, targets = dataset.features, dataset.targets
        columns = features + (0 if self.tied else features if targets is None else targets)
        size = self.latents * columns * _FLOAT_BYTES
        if size > (memory := machine.memory()):
            rule = f"its weights take {size / 1e9:.3g} GB, and this machine has {memory / 1e9:.3g} GB of memory"
            remedy = f"lower it: there are {features} features" + (f", and {targets} of targets" if targets else "")
            raise InputError("model.latents", self.latents, rule, remedy)
        means = dataset.train_mean(), targets, None if targets is None else dataset.target_mean()
        return self.build(features, seeded("weights", seed), *means)

    @override
    def bounds(self, metric: Any) -> tuple[float, float]:
        """None is negative, and no more latents are on than there are, or than the evaluation code keeps."""
        low, high = super().bounds(metric)
        if metric.unit == "latents":
            forced = self.rule.per_sample_k(self.latents) if self.evaluation == "per_sample_k" else None
            kept = forced or self.rule.evaluated_k(self.latents)
            high = self.latents if kept is None or metric.split != "val" else kept
        return max(low, 0.0), high

    @override
    def rows_bound(self, batch_size: int) -> float | None:
        return self.rule.rows_bound(self.latents, batch_size)

    @property
    @override
    def has_pictures(self) -> bool:
        return True

    @override
    def rows_to_draw(self, tensors: Mapping[str, NDArray[Any]], seed: int) -> NDArray[Any] | None:
        """The decoder rows; how far they moved follows from where they began, and that from the seed."""
        import numpy as np

        from spadam.data.splits import seeded

        encoder_LD = tensors.get("encoder_weight")
        rows_LE = tensors.get("decoder_weight", encoder_LD)  # tied: one matrix for both
        if rows_LE is None or encoder_LD is None or rows_LE.ndim != 2 or encoder_LD.ndim != 2:
            return None
        (_, features), (_, reconstructed) = encoder_LD.shape, rows_LE.shape
        targets = None if features == reconstructed else reconstructed
        start_LE = self.build(features, seeded("weights", seed), targets=targets).decoder_rows.detach().numpy()
        return rows_LE[np.argsort(-np.linalg.norm(rows_LE - start_LE, axis=1), kind="stable")]


class ProbeSpec(Spec):
    """A linear classifier on the codes."""

    lr: PositiveFloat = 1e-2
    """Learning rate of the Adam that trains it beside the autoencoder."""
    refit: Literal["auto", "always", "never"] = "auto"
    """Fit a logistic regression anew at the end; `auto`: not in search trials, unless the objective needs it."""
