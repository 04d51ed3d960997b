"""Everything that determines one run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, NonNegativeInt, PositiveFloat, PositiveInt, Tag, model_validator

from spadam.data import DatasetSpec
from spadam.models.custom import CustomTaskSpec
from spadam.models.spec import AutoencoderSpec, ProbeSpec, name_of_model
from spadam.models.task_spec import TaskSpec
from spadam.optim import OptimizerSpec
from spadam.optim.scaled_lr import scaled
from spadam.spec import Document, InputError, Spec, Written, earlier, validate
from spadam.tracking import TrackingSpec

ModelSpec = Annotated[
    Annotated[AutoencoderSpec, Tag("autoencoder")] | Annotated[CustomTaskSpec, Tag("custom")],
    Discriminator(name_of_model),
]
"""What may stand under `model`."""


def latents_of(model: Any) -> int | None:
    """The number of latents of what stands under `model`; None where it has none.

    What is no number counts as the default: it is told of where the model is checked.
    """
    if name_of_model({} if model is None else model) != "autoencoder":
        return None
    default: int = AutoencoderSpec.model_fields["latents"].default
    found = model.get("latents", default) if isinstance(model, Mapping) else getattr(model, "latents", default)
    return found if isinstance(found, int) and found > 0 else default


class TrainerSpec(Spec):
    """How long to train, and on what."""

    epochs: PositiveInt | None = 3
    """Stop after so many passes over the training images."""
    steps: PositiveInt | None = None
    """Stop after so many steps."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Where to compute; `auto` takes a GPU where there is one."""
    kernels: Literal["auto", "compiled", "reference"] = "auto"
    """Who runs the hot loops: `compiled` loops on a CPU, the `reference` in torch operations anywhere."""
    threads: int = Field(default=1, gt=0, le=1024)
    """Threads of torch on the CPU. Other numbers of threads give other roundings."""
    clip_norm: PositiveFloat | None = None
    """Scale the gradient of the autoencoder down to this norm; `optim/clipped` says how often that was done."""
    evaluate_every: Literal["epoch"] | Annotated[int, Field(gt=0)] = "epoch"
    """Evaluate training and validation samples at the end of every epoch, or after every so many steps, wherever an
    epoch ends; before the first step and at the end of the training in any case."""
    silent_after: PositiveInt = 100_000
    """A row that was not touched in so many training samples counts as silent (`sparsity/silent`)."""
    checkpoint_every: Literal["epoch"] | Annotated[int, Field(gt=0)] | None = "epoch"
    """Save what a resumed run needs: at the end of every epoch, after so many steps, or never."""
    time_limit: PositiveFloat | None = None
    """Stop after so many seconds."""

    def steps_between_evaluations(self, batches_per_epoch: int) -> int:
        """How many steps lie between two evaluations, but for those before the last."""
        return batches_per_epoch if self.evaluate_every == "epoch" else self.evaluate_every

    def most_steps(self, batches_per_epoch: int | None) -> int | None:
        """How many steps a training has, or at most where its time is limited; None where nothing says so.

        ``batches_per_epoch`` is None while that is not known.
        """
        epochs = None if self.epochs is None or batches_per_epoch is None else self.epochs * batches_per_epoch
        return min((end for end in (epochs, self.steps) if end is not None), default=None)

    @model_validator(mode="after")
    def _check(self) -> TrainerSpec:
        if self.kernels == "compiled" and self.accelerator == "gpu":
            rule = "compiled loops run on a CPU"
            raise InputError("trainer.kernels", self.kernels, rule, "use auto, or trainer.accelerator: cpu")
        if self.epochs is None and self.steps is None and self.time_limit is None:
            rule = "a training needs an end"
            raise InputError(
                "trainer.epochs", Written("null"), rule, "set trainer.epochs, trainer.steps or trainer.time_limit"
            )
        return self


class RunConfig(Spec):
    """One training: data, model, optimizer, probe, and how long."""

    seed: NonNegativeInt = 0
    """Weights, batch order and refit sample are drawn from it."""
    data: DatasetSpec
    """What it is trained on."""
    model: ModelSpec = AutoencoderSpec()
    """What is trained."""
    optimizer: OptimizerSpec
    """What trains it."""
    probe: ProbeSpec | None = ProbeSpec()
    """The classifier on the codes; null for none."""
    trainer: TrainerSpec = TrainerSpec()
    """How long, and where."""
    tracking: TrackingSpec = TrackingSpec()
    """Who watches."""

    @model_validator(mode="after")
    def _check(self) -> RunConfig:
        schedule, trainer = self.optimizer.schedule, self.trainer
        if schedule.needs_length and trainer.epochs is None and trainer.steps is None:
            key, given = (
                ("name", schedule.name) if schedule.name != "constant" else ("decay_steps", schedule.decay_steps)
            )
            kind = "a decay" if key == "decay_steps" else f"a {schedule.name} schedule"
            rule = f"{kind} must know how long the training is"
            raise InputError(f"optimizer.schedule.{key}", given, rule, "set trainer.epochs or trainer.steps")
        if self.data.targeted:
            self.model.check_targets()
        return self

    @model_validator(mode="before")
    @classmethod
    def _scale_lr(cls, data: Any) -> Any:
        """Make a number of an lr that goes by the number of latents."""
        optimizer = data.get("optimizer") if isinstance(data, Mapping) else None
        by_latents = scaled(optimizer.get("lr")) if isinstance(optimizer, Mapping) else None
        latents = None if by_latents is None else latents_of(data.get("model"))
        if not isinstance(optimizer, Mapping) or by_latents is None or latents is None:
            return data
        return {**data, "optimizer": {**optimizer, "lr": by_latents.of(latents)}}

    def identity(self) -> str:
        """A hash of what determines the numbers: all but where data lies, where it computes, and who watches."""
        return hashlib.sha256(json.dumps(self.facts(), sort_keys=True).encode()).hexdigest()

    def facts(self) -> dict[str, Any]:
        """What determines the numbers, as plain values; see :meth:`identity`.

        A key that came later is none while it says what was done before it came: what was begun then goes on.
        """
        elsewhere: Any = {"tracking": True, "data": {"root"}, "trainer": {"accelerator", "kernels"}, "model": {"name"}}
        found = _name_first(self.model_dump(mode="json", exclude=elsewhere))
        found["model"] |= self.model.meanings
        return earlier.without_what_was_done_then(found)

    @property
    def task(self) -> TaskSpec:
        """What is trained.

        Raises :class:`InputError` when one of your own cannot be imported, or refuses its options.
        """
        return self.model.resolve()

    @property
    def own_code(self) -> tuple[str, ...]:
        """What of a person's own is imported to train it: where it is, package.module.Class."""
        return tuple(path for path in (self.model.own_code, self.optimizer.own_code) if path is not None)

    def plain(self) -> dict[str, Any]:
        """The whole configuration as plain values, defaults included, every `name` before what belongs to it."""
        return _name_first(self.model_dump(mode="json"))


def stored_config(document: Document) -> RunConfig:
    """The configuration that a run or a result keeps, also one of an earlier release. Raises :class:`InputError`."""
    return validate(RunConfig, document._replace(data=earlier.complete(document.data)))


def _name_first(mapping: dict[str, Any]) -> dict[str, Any]:
    first = {"name": mapping["name"]} if "name" in mapping else {}
    return first | {key: _name_first(value) if isinstance(value, dict) else value for key, value in mapping.items()}
