"""What a sweep is judged by, as its file says it: one metric, within bands of others or not, or a front of several."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from spadam.diagnostics.former_names import present
from spadam.spec import InputError, Spec, as_tuple

Direction = Literal["minimize", "maximize"]

Band = Annotated[tuple[float, float], BeforeValidator(as_tuple)]
"""The lowest and the highest value, both inside."""


class ObjectiveSpec(Spec):
    """What is compared."""

    metric: Annotated[str, AfterValidator(present)] = "val/fvu"
    """A metric that search trials measure (docs/metrics.md says which); never one of the test split."""
    direction: Direction = "minimize"
    """Whether small or large values are good."""
    at: dict[str, Band] = Field(default_factory=dict)
    """Bands that a trial must lie in, such as `{sparsity/l0_eval: [28, 36]}`, for an objective that can be had by
    leaving them. A trial outside is worse than any inside, and the worse the further it lies outside: by the sum, over
    the bands, of what it misses over the larger bound."""
    pareto: Annotated[tuple[str, ...] | dict[str, Direction], BeforeValidator(as_tuple)] | None = None
    """Instead of `metric`: several, such as `[val/fvu, sparsity/l0_eval]`, of which none is given up for another. What
    is sought is their front, the trials that no other beats in one without being beaten in another. A list is of
    metrics to be minimized; `{probe/val_accuracy: maximize, sparsity/l0_eval: minimize}` says which way each is good.
    """

    @model_validator(mode="after")
    def _check(self) -> ObjectiveSpec:
        for name, (low, high) in self.at.items():
            if low > high:
                rule = f"a band goes from its lowest value to its highest, but {low:g} > {high:g}"
                raise InputError(f"objective.at.{name}", [low, high], rule, f"write [{high:g}, {low:g}]")
            if self.pareto is None and name == self.metric:
                rule = "it is the objective itself, which is sought without bounds"
                raise InputError(f"objective.at.{name}", [low, high], rule, "remove it, or choose another objective")
        if self.pareto is not None:
            self._check_front()
        return self

    def _check_front(self) -> None:
        names = tuple(self.pareto or ())
        shown: Any = self.pareto if isinstance(self.pareto, dict) else list(names)
        for key in ("metric", "direction"):
            if key in self.model_fields_set:
                rule = "an objective is one metric, or the front of several"
                raise InputError(f"objective.{key}", getattr(self, key), rule, f"remove it, or remove pareto: {names}")
        if len(names) < 2:
            rule = "a front is one of at least two metrics"
            remedy = f"add another, or write `metric: {names[0]}`" if names else "list two, or write `metric: …`"
            raise InputError("objective.pareto", shown, rule, remedy)
        if len(set(names)) < len(names):
            raise InputError("objective.pareto", shown, "each metric stands in it once", "remove what is there twice")

    @property
    def goals(self) -> dict[str, Direction]:
        """Every metric that is compared, and which way it is good."""
        if self.pareto is None:
            return {self.metric: self.direction}
        return dict(self.pareto) if isinstance(self.pareto, dict) else dict.fromkeys(self.pareto, "minimize")

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that are compared."""
        return tuple(self.goals)

    @property
    def asked(self) -> tuple[str, ...]:
        """Every metric that a trial must have measured to be judged: what is compared, and that of every band."""
        return tuple(dict.fromkeys((*self.goals, *self.at)))

    @property
    def is_front(self) -> bool:
        """Whether several metrics are compared, and what is sought is their front."""
        return self.pareto is not None

    def facts(self) -> dict[str, Any]:
        """What determines the results of a sweep, as plain values; what is not used is left out."""
        if self.is_front:
            found: dict[str, Any] = {"pareto": self.goals}
        else:
            found = {"metric": self.metric, "direction": self.direction}
        return found | ({"at": {name: list(band) for name, band in self.at.items()}} if self.at else {})
