"""A sweep as its file says it: base, variants, space, search, repeats, objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from pydantic import ConfigDict, Field, NonNegativeInt, PositiveInt

from spadam.config import RunConfig
from spadam.spec import Document, Spec, assign, validate
from spadam.sweep.space import Axis, Range, Value

SEEDS_APART = 10_000
"""Training seeds of the searches and of each study's repeats lie this far apart, so none is used twice."""


class VariantSpec(Spec):
    """What a variant has that base and space do not: any key of the configuration, and ranges of its own."""

    model_config = ConfigDict(extra="allow")

    space: dict[str, Range | None] = Field(default_factory=dict)
    """Ranges instead of, or beside, those of the sweep; null drops an axis."""

    @property
    def overlay(self) -> dict[str, Any]:
        """The keys that are laid over base."""
        return dict(self.model_extra or {})


class SearchSpec(Spec):
    """How the parameters of trials are chosen."""

    sampler: Literal["random", "grid", "tpe"] = "tpe"
    """`random` and `grid` are enumerated, the same points for every variant; `tpe` learns from earlier trials."""
    trials: PositiveInt | None = None
    """Trials of every variant in every study; a grid has as many as it has points."""
    studies: int = Field(1, ge=1, le=SEEDS_APART)
    """Independent searches of every variant."""
    pruner: Literal["none"] = "none"
    """Every trial is trained to its end."""
    seed: NonNegativeInt = 0
    """The suggestions are drawn from it."""
    lag: PositiveInt = 4
    """A trial is suggested from the results that lie so many trials back, so that this many may run at a time."""


class RepeatSpec(Spec):
    """What happens to the best of each study."""

    seeds: int = Field(5, ge=0, le=SEEDS_APART)
    """It is trained so many times again, with seeds that no search has used."""


class ObjectiveSpec(Spec):
    """What is compared."""

    metric: str = "val/fvu"
    """A metric that search trials measure."""
    direction: Literal["minimize", "maximize"] = "minimize"
    """Whether small or large values are good."""


class SweepSpec(Spec):
    """The file of a sweep."""

    name: str
    """Names its folder, its studies and its group at W&B."""
    base: dict[str, Any]
    """The configuration that all variants share."""
    variants: dict[str, VariantSpec]
    """What is compared."""
    space: dict[str, Range] = Field(default_factory=dict)
    """The keys that are searched."""
    search: SearchSpec = SearchSpec()
    repeat: RepeatSpec = RepeatSpec()
    objective: ObjectiveSpec = ObjectiveSpec()


class Variant(NamedTuple):
    """A variant with its whole configuration and its own axes."""

    name: str
    document: Document
    """Base with the variant's keys laid over it; its lines are those of the sweep's file."""
    axes: tuple[Axis, ...]

    def config(self, params: Mapping[str, Value], seed: int) -> RunConfig:
        """The training with ``params`` and ``seed``. Raises :class:`InputError` when they do not go together."""
        data: dict[str, Any] = {**self.document.data, "seed": seed}
        for name, value in params.items():
            data = assign(data, name, value)
        return validate(RunConfig, self.document._replace(data=data), within=f"variant {self.name}: ")


@dataclass(frozen=True)
class Sweep:
    """A sweep's file after all checks: whatever it plans can be trained."""

    spec: SweepSpec
    variants: Mapping[str, Variant]
    trials: int
    """Search slots of every variant in every study."""
    seed: int
    """The seed in base."""
    document: Document

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self.spec.name
