"""The points of Adam's family, and what their specs share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, model_validator
from typing_extensions import override

from spadam.optim.scaled_lr import Lr
from spadam.optim.spec import BaseOptimizerSpec, Betas
from spadam.spec import imported

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.optimizer import ParamsT

LR, BETAS, EPS = 1e-3, (0.9, 0.999), 1e-8  # Kingma and Ba 2015; the libraries followed them

Epsilon = Literal["after", "hat"]

ENTERS = {
    "after": "√v̂ + ε: after bias correction (option `hat`: √v + ε)",
    "hat": "√v + ε: the correction stands in the lr (option `after`: √v̂ + ε)",
}


class Point(NamedTuple):
    """Where an optimizer stands on each axis."""

    moments: Literal["decay", "freeze"]
    """Of untouched rows: times beta every step, or left as they are."""
    weights: Literal["move", "hold"]
    """Of untouched rows: their momentum goes on moving them, or not."""
    clock: Literal["global", "row", "none"]
    """What bias correction counts: steps, updates of the row, or there is no correction."""
    epsilon: Epsilon
    """`after`: m̂/(√v̂+ε); `hat`: lr √(1-β2ᵗ)/(1-β1ᵗ) m/(√v+ε). The default; each instance may choose."""
    second: Literal["element", "row"]
    """v for each element, or one for a row: the mean of its g²."""
    sample: Literal["batch", "active"]
    """The gradient as it comes, or times B/n: the mean over the n samples in which the row was on."""


class BetasSpec(BaseOptimizerSpec):
    """An optimizer with two moments, whose betas are given together or each by itself."""

    betas: Betas = BETAS
    """How much of the first and of the second moment stays in a step."""
    beta1: float | None = Field(None, ge=0, lt=1, exclude=True)
    """Instead of the first of `betas`."""
    beta2: float | None = Field(None, ge=0, lt=1, exclude=True)
    """Instead of the second of `betas`."""

    @model_validator(mode="before")
    @classmethod
    def _lay_over_betas(cls, data: Any) -> Any:
        """Put `beta1` and `beta2` into `betas`; what is none is left where it is, to be told of there."""
        if not isinstance(data, Mapping):
            return data
        given, betas = [data.get(key) for key in _EACH], data.get("betas", BETAS)
        right = all(beta is None or _is_share(beta) for beta in given)
        if given == [None, None] or not right or not isinstance(betas, list | tuple) or len(betas) != 2:
            return data
        laid = [old if beta is None else beta for old, beta in zip(betas, given, strict=True)]
        return {**{key: value for key, value in data.items() if key not in _EACH}, "betas": laid}


_EACH = ("beta1", "beta2")


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1


class AdamFamilySpec(BetasSpec):
    """An optimizer of Adam's family: moments, bias correction, and an epsilon."""

    gradient: ClassVar[Literal["coo", "dense"]] = "coo"
    lr_center: ClassVar[float] = 3e-3
    moves_untouched: ClassVar[bool] = False
    point: ClassVar[Point]
    """Where the optimizer stands in the family."""
    algorithm: ClassVar[str]
    """The path of its class."""

    lr: Lr = LR
    """Step size."""
    eps: float = Field(EPS, ge=0)
    """Added to the denominator, in the place that `epsilon` says."""
    epsilon: Epsilon
    """`after` bias correction: m̂/(√v̂+ε); `hat`: the correction in the lr, m/(√v+ε)."""
    row_accumulate: int = Field(1, ge=1)
    """Sum a row's gradients until so many samples have come, then apply them."""

    @override
    def build(self, params: ParamsT) -> Optimizer:
        optimizer: Optimizer = imported(self.algorithm)(
            params,
            lr=self.lr,
            betas=self.betas,
            eps=self.eps,
            epsilon=self.epsilon,
            row_accumulate=self.row_accumulate,
        )
        return optimizer

    @override
    def when_all_touched(self) -> Mapping[str, Any]:
        if self.row_accumulate > 1:  # rows come due at different times, so that some wait in every step
            return super().when_all_touched()
        point = self.point
        return describe(self, self.epsilon, clock=point.clock, second=point.second, sample=point.sample)


def describe(
    spec: BaseOptimizerSpec,
    epsilon: Epsilon,
    *,
    clock: str,
    second: str = "element",
    sample: str = "batch",
    weight_decay: float = 0.0,
) -> dict[str, Any]:
    """An Adam where every step touches every row: nothing is done to other rows, and a row's clock is everybody's.

    Without bias correction the two places of epsilon are one.
    """
    return {
        **spec.model_dump(mode="json", include={"betas", "schedule", "ema"}),
        "epsilon": "hat" if clock == "none" else epsilon,
        "clock": "none" if clock == "none" else "steps",
        "second": second,
        "sample": sample,
        "weight_decay": weight_decay,
    }
