"""A sweep as its file says it: base, variants, space, search, repeats, objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from spadam.claims.spec import ClaimSpec
from spadam.config import RunConfig
from spadam.spec import Document, InputError, Spec, Written, as_tuple, validate
from spadam.sweep.definition.objective import ObjectiveSpec
from spadam.sweep.definition.relative_axes import EPS_REL, lay_in
from spadam.sweep.definition.space import Axis, Value, WrittenRange
from spadam.tracking import TrackingSpec

SEEDS_APART = 10_000
"""Training seeds of the searches, of each study's repeats, and of what each chooses by lie this far apart, so none is
used twice."""

MOST_CHOOSING = 100
"""So many settings are chosen from at most, by so many seeds."""

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


POINTS = 3
"""So many points of a front are trained again where nothing is said."""


class ChooseSpec(Spec):
    """How the setting of each study is chosen among its best trials."""

    top: int = Field(3, ge=2, le=MOST_CHOOSING)
    """So many of its best trials, with different parameters, are trained again; all where it has fewer."""
    seeds: int = Field(3, ge=1, le=MOST_CHOOSING)
    """Each is trained so many times, with seeds that neither the search nor the repeats have, the same for each."""

    @model_validator(mode="before")
    @classmethod
    def _check(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and data.get("top") == 1:
            rule, remedy = "of one trial there is nothing to choose", "take at least 2, or write `choose: null`"
            raise InputError("repeat.choose.top", 1, f"{rule}: the best is repeated as it is", remedy)
        return data


class RepeatSpec(Spec):
    """What happens to the best of each study."""

    seeds: int = Field(5, ge=0, le=SEEDS_APART)
    """It is trained so many times again, with seeds that nothing before has used."""
    choose: ChooseSpec | None = None
    """Which trial that is. null: the best one, which was also the luckiest of many. `{top: 3, seeds: 3}` trains the 3
    best trials of each study 3 times again, and takes the one whose mean of the objective is best: the default where
    there are claims."""
    points: int | None = Field(None, ge=1, le=SEEDS_APART)
    """Of a front (`objective.pareto`): so many of its points are trained again, 3 where nothing is said, or all where
    it has fewer. They are the middles of as many equal parts of it, in the order of its first metric: its ends are
    often of no use, a code of nothing and a code of everything."""


class ReportSpec(Spec):
    """What is shown of a sweep. It may be changed at any time."""

    columns: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] | None = None
    """The metrics that stand beside the objective in the table, on the page, and first in trials.csv: the mean of the
    repeats, or what the best trial has while there are none. Where nothing is said: test/fvu, sparsity/rows_touched,
    sparsity/l0_eval and sparsity/dead, as far as they are measured, and what `objective.at` names."""


class CompareSpec(Spec):
    """What the others are held against where no claim says so."""

    to: str | None = None
    """A variant; null: the first of the file."""


class SweepSpec(Spec):
    """The file of a sweep."""

    name: str
    """Names its folder, its studies and its group at W&B."""
    base: dict[str, Any]
    """The configuration that all variants share."""
    variants: dict[str, VariantSpec]
    """What is compared."""
    space: dict[str, WrittenRange] = Field(default_factory=dict)
    """What is searched, for every variant: keys of the configuration, dotted, and three that are none.
    `optimizer.eps_rel` is eps in units of the gradient (its root mean square before the first step), so that it means
    the same for every loss and model; `optimizer.lr_over_eps` is lr / eps, which is all that counts where eps is
    large; `optimizer.lr.at` is that of an lr by the number of latents. A list is short for its `choices`."""
    search: SearchSpec = SearchSpec()
    """How parameters are chosen, and how many."""
    repeat: RepeatSpec = RepeatSpec()
    """How often the best is trained again."""
    objective: ObjectiveSpec = ObjectiveSpec()
    """What is compared."""
    report: ReportSpec = ReportSpec()
    """What is shown."""
    claims: Annotated[tuple[ClaimSpec, ...], BeforeValidator(as_tuple)] = ()
    """What the sweep is to decide. Claims may be added at any time; one that was added when results were there already
    is marked: post hoc."""
    compare: CompareSpec = CompareSpec()
    """What every variant is held against in the table of differences."""

    @model_validator(mode="after")
    def _check(self) -> SweepSpec:
        if self.repeat.points is not None and not self.objective.is_front:
            rule = "one metric has one best, and only a front has points to choose from"
            raise InputError("repeat.points", self.repeat.points, rule, "remove it, or set objective.pareto")
        if self.repeat.choose is not None and self.objective.is_front:
            rule = "a front has no best setting to choose: several of its points are repeated"
            remedy = "remove it, and say with repeat.points how many"
            raise InputError("repeat.choose", Written(_short(self.repeat.choose)), rule, remedy)
        return self

    @property
    def chooses(self) -> ChooseSpec | None:
        """How the setting of each study is chosen; None where the best trial is taken as it is."""
        if "choose" in self.repeat.model_fields_set or not self.claims or self.objective.is_front:
            return self.repeat.choose
        return ChooseSpec()

    @property
    def points(self) -> int:
        """So many settings of a study are trained again at most."""
        return (self.repeat.points or POINTS) if self.objective.is_front else 1

    @property
    def repeats(self) -> int:
        """So many repeats a study has at most."""
        return self.points * self.repeat.seeds

    @property
    def candidates(self) -> int:
        """Among so many trials a study chooses its setting at most."""
        return 1 if self.chooses is None else self.chooses.top

    def choosings(self, trials: int) -> int:
        """So many choosing trainings has a study that may choose among so many ``trials``."""
        among = min(trials, self.candidates)
        return among * self.chooses.seeds if self.chooses is not None and among > 1 else 0


def _short(choose: ChooseSpec) -> str:
    return f"{{top: {choose.top}, seeds: {choose.seeds}}}"


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
    def reference(self) -> str:
        """The variant that the others are held against."""
        return self.spec.compare.to or next(iter(self.variants))

    @property
    def tracking(self) -> TrackingSpec:
        """Where the sweep itself is shown: as its first variant is."""
        return next(iter(self.variants.values())).corners[0].tracking

    @property
    def axes(self) -> list[str]:
        """Every key that some variant searches."""
        return list(dict.fromkeys(axis.name for variant in self.variants.values() for axis in variant.axes))

    def choosings(self, variant: str) -> int:
        """So many choosing trainings a study of ``variant`` has at most; where it searches nothing, none."""
        return self.spec.choosings(self.trials) if self.variants[variant].axes else 0

    @property
    def corners(self) -> list[RunConfig]:
        """The configurations at the ends of all variants' axes."""
        return [config for variant in self.variants.values() for config in variant.corners]
