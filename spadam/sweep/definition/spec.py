"""A sweep as its file says it: base, variants, space, search, repeats, objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, ConfigDict, Field, NonNegativeInt, PositiveInt

from spadam.config import RunConfig
from spadam.diagnostics.former_names import present
from spadam.spec import Document, Spec, validate
from spadam.sweep.definition.relative_axes import EPS_REL, lay_in
from spadam.sweep.definition.space import Axis, Value, WrittenRange
from spadam.tracking import TrackingSpec

SEEDS_APART = 10_000
"""Training seeds of the searches and of each study's repeats lie this far apart, so none is used twice."""


MOST_TRAININGS = 100_000
"""Of a whole sweep: months of work. The plan of a larger one would not be read within a second."""


class VariantSpec(Spec):
    """What a variant has that base and space do not: any key of the configuration, and ranges of its own."""

    model_config = ConfigDict(extra="allow")

    space: dict[str, WrittenRange | None] = Field(default_factory=dict)
    """Ranges instead of, or beside, those of the sweep; null drops an axis."""

    @property
    def overlay(self) -> dict[str, Any]:
        """The keys that are laid over base."""
        return dict(self.model_extra or {})


class SearchSpec(Spec):
    """How the parameters of trials are chosen."""

    sampler: Literal["random", "grid", "qmc", "tpe", "gp"] = "tpe"
    """`random`, `grid` and `qmc` try points that are known beforehand, the same for every variant: for maps of the
    whole space, and for comparisons that no learner may colour. `qmc` (Sobol) covers it more evenly than `random`,
    best with a power of two of trials. `tpe` and `gp` learn from earlier trials: for finding the best. `gp` (a Gaussian
    process) suits few trials of few numbers, and takes about a second for each suggestion; `tpe` suits the rest."""
    trials: PositiveInt | None = None
    """Trials of every variant in every study, equal budgets for all; a grid has as many as it has points. It may be
    raised later: what was tried stays."""
    studies: int = Field(1, ge=1, le=SEEDS_APART)
    """Independent searches of every variant, each with its own suggestions and its own training seed; several say how
    much of a difference is the search's luck."""
    pruner: Literal["none", "median"] = "none"
    """`median` ends a trial at an evaluation when its best objective so far is worse than the median that the complete
    trials of its study had at that one, once there are 5: it saves time where curves do not cross. `none` trains every
    trial to its end: for comparisons of variants, whose curves may rise at different speeds. A training of one epoch
    needs `trainer.evaluate_every` for it."""
    seed: NonNegativeInt = 0
    """The suggestions are drawn from it; another seed is another, equally good search."""
    lag: PositiveInt = 4
    """A trial learns from the results that lie so many trials back, so that this many may run at a time; set it to the
    number of workers. Results do not depend on how many there are."""


class RepeatSpec(Spec):
    """What happens to the best of each study."""

    seeds: int = Field(5, ge=0, le=SEEDS_APART)
    """It is trained so many times again, with seeds that no search has used."""


class ObjectiveSpec(Spec):
    """What is compared."""

    metric: Annotated[str, AfterValidator(present)] = "val/fvu"
    """A metric that search trials measure (docs/metrics.md says which); never one of the test split."""
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
    space: dict[str, WrittenRange] = Field(default_factory=dict)
    """What is searched, for every variant: keys of the configuration, dotted, and two that are none.
    `optimizer.eps_rel` is eps in units of the gradient (its root mean square before the first step), so that it means
    the same for every loss and model; `optimizer.lr_over_eps` is lr / eps, which is all that counts where eps is
    large. A list is short for its `choices`."""
    search: SearchSpec = SearchSpec()
    """How parameters are chosen, and how many."""
    repeat: RepeatSpec = RepeatSpec()
    """How often the best is trained again."""
    objective: ObjectiveSpec = ObjectiveSpec()
    """What is compared."""


class Variant(NamedTuple):
    """A variant with its whole configuration and its own axes."""

    name: str
    document: Document
    """Base with the variant's keys laid over it; its lines are those of the sweep's file."""
    axes: tuple[Axis, ...]
    corners: tuple[RunConfig, ...]
    """Its configuration with every axis at one of its ends, for all of them; eps is that of a scale of 1 where it
    depends on the gradient. Checked when the file is read, and never again."""

    @property
    def needs_scale(self) -> bool:
        """Whether its parameters mean something only together with the scale of its gradient."""
        return any(axis.name == EPS_REL for axis in self.axes)

    def config(self, params: Mapping[str, Value], seed: int, gradient_rms: float | None = None) -> RunConfig:
        """The training with ``params`` and ``seed``; ``gradient_rms`` is needed when :attr:`needs_scale`.

        Raises :class:`InputError` when they do not go together.
        """
        data = lay_in({**self.document.data, "seed": seed}, params, gradient_rms)
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

    @property
    def tracking(self) -> TrackingSpec:
        """Where the sweep itself is shown: as its first variant is."""
        return next(iter(self.variants.values())).corners[0].tracking

    @property
    def axes(self) -> list[str]:
        """Every key that some variant searches."""
        return list(dict.fromkeys(axis.name for variant in self.variants.values() for axis in variant.axes))

    @property
    def corners(self) -> list[RunConfig]:
        """The configurations at the ends of all variants' axes."""
        return [config for variant in self.variants.values() for config in variant.corners]
