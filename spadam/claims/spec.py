"""A claim as a sweep's file says it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, PositiveFloat

from spadam.diagnostics.former_names import present
from spadam.spec import Spec, as_tuple

Kind = Literal["better", "worse", "equivalent", "different", "at_least", "at_most"]
About = Literal["settings", "variants"]

SIDED: tuple[Kind, ...] = ("better", "worse")
"""Kinds that need a metric of which more is good, or bad."""

BOUNDED: tuple[Kind, ...] = ("at_least", "at_most")
"""Kinds that are held against a bound, where all others have a margin."""


class Fault(NamedTuple):
    """What is wrong with a key of a claim."""

    key: str
    value: object
    rule: str
    remedy: str


class ClaimSpec(Spec):
    """A sentence, and what decides on it."""

    says: str = Field(min_length=1)
    """The claim in words, as the report repeats it."""
    variants: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(min_length=1, max_length=2)
    """The variant that it is about, and the one that it is held against; with `bound` or `against` one is enough."""
    metric: Annotated[str, AfterValidator(present)]
    """What is measured of both, by their repeats: any number that docs/metrics.md has, of the test split too."""
    against: Annotated[str | None, AfterValidator(lambda name: name and present(name))] = None
    """What is measured of the second, where that is another metric: with one variant this is its own, such as
    `train/mse` for a `test/mse`. Both are errors, or have the same unit."""
    kind: Kind
    """What the first is, compared with the second: `better` or `worse` by more than the margin, `equivalent` (within
    it, both ways), `different` (beyond it, either way); or `at_least` or `at_most` the bound."""
    margin: PositiveFloat | None = None
    """What is too small to matter. Of errors a share: 0.01 is one per cent of the second's; of all other metrics a
    difference: 0.005 is half a point of accuracy. Without one every difference is significant if only the seeds are
    many, so every claim needs it, but for those with a bound."""
    bound: float | None = None
    """Of `at_least` and `at_most`: with one variant what its metric is held against; with two, or `against`, what their
    ratio is held against (of errors: first over second), or their difference (first minus second)."""
    about: About = "settings"
    """`settings`: the two that were chosen, lr and all; a unit is a seed with which both were trained. `variants`: the
    optimizers under this budget, however lucky a search was; a unit is a study, and `search.studies` must be at least
    6. Seeds of one search cannot stand for it: of two copies of one variant 16 % were told apart with 5 of them, and
    37 % with 20."""

    def faults(self) -> Iterator[Fault]:
        """What of it does not go together. It is the sweep that says so, for it knows where the claim stands."""
        bounded = self.kind in BOUNDED
        if bounded and self.margin is not None:
            yield Fault("margin", self.margin, f"{self.kind} is held against a bound", "write it as `bound`")
        if bounded and self.bound is None:
            yield Fault("bound", None, f"{self.kind} needs what it is held against", "add it, such as `bound: 0.2`")
        if not bounded and self.bound is not None:
            rule = f"only {' and '.join(BOUNDED)} have a bound, and this is {self.kind}"
            yield Fault("bound", self.bound, rule, "remove it, or choose one of these kinds")
        if not bounded and self.margin is None:
            rule = "without a margin any difference is one, if only the seeds are many enough"
            remedy = "add it: 0.01 is one per cent of an error, 0.005 half a point of accuracy"
            yield Fault("margin", None, rule, remedy)
        if len(self.sides) == 1 and not bounded:
            rule = f"{self.kind} compares two variants"
            yield Fault("variants", list(self.variants), rule, "name the other one, too")
        if len(set(self.variants)) < len(self.variants):
            yield Fault("variants", list(self.variants), "a variant is compared with another", "name another")
        if self.against == self.metric:
            yield Fault("against", self.against, "it is the metric itself", "name another, or remove it")

    @property
    def unit(self) -> str:
        """What its differences are of."""
        return "seed" if self.about == "settings" else "study"

    @property
    def sides(self) -> tuple[tuple[str, str], ...]:
        """The variant and the metric of what it is about, and of what that is held against, if not of a bound."""
        if len(self.variants) == 1 and self.against is None:
            return ((self.variants[0], self.metric),)
        return (self.variants[0], self.metric), (self.variants[-1], self.against or self.metric)

    @property
    def key(self) -> str:
        """Names the claim by all that decides on it; its words may be mended."""
        return self.model_dump_json(exclude={"says", *(["against"] if self.against is None else [])})
