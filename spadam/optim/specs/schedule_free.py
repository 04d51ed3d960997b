"""How a configuration describes ScheduleFree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_serializer, model_validator
from typing_extensions import override

from spadam.optim.scaled_lr import Lr
from spadam.optim.spec import BaseOptimizerSpec
from spadam.optim.specs.sign_sgd import SignSGDSpec
from spadam.spec import InputError, imported

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.optimizer import ParamsT

    Inner = BaseOptimizerSpec
    """At run time the union of all members that are wrapped around none; `spadam.optim` fills it in."""

LR, MOMENTUM = 5e-3, 0.95  # sparsify's; its lr is that of 16384 latents

_OUTSIDE = frozenset({"lr", "schedule", "row_accumulate", "ema"})
"""What every optimizer has: it is said of the whole."""


class ScheduleFreeSpec(BaseOptimizerSpec):
    """Schedule-free averaging around an optimizer that holds untouched rows: the average of its points is evaluated."""

    gradient: ClassVar[Literal["coo", "dense"]] = "coo"
    lr_center: ClassVar[float] = 3e-3
    moves_untouched: ClassVar[bool] = False
    epsilon_enters: ClassVar[str] = "none"
    averages: ClassVar[bool] = True
    outside: ClassVar[Mapping[str, frozenset[str]]] = {"inner": _OUTSIDE}

    name: Literal["schedule_free"] = "schedule_free"
    lr: Lr = LR
    """Step size of the inner optimizer."""
    inner: Inner = SignSGDSpec()
    """The optimizer whose points are averaged, and its own options; lr, schedule and row_accumulate stand outside."""
    momentum: float = Field(MOMENTUM, ge=0, lt=1)
    """Where gradients are taken: at this share of the average and the rest of the inner optimizer's point."""
    row_accumulate: int = Field(1, ge=1)
    """Sum a row's gradients until so many samples have come, then apply them."""

    @model_validator(mode="before")
    @classmethod
    def _check_outside(cls, data: Any) -> Any:
        inner = data.get("inner") if isinstance(data, Mapping) else None
        if not isinstance(inner, Mapping):
            return data
        for key in sorted(_OUTSIDE.intersection(inner)):
            rule = f"{key} stands beside inner, for the whole optimizer"
            raise InputError(f"optimizer.inner.{key}", inner[key], rule, f"set optimizer.{key}")
        return data

    @model_validator(mode="after")
    def _check_inner(self) -> ScheduleFreeSpec:
        if not self.inner.holds:
            name = type(self.inner).model_fields["name"].default
            rule = "schedule_free needs an optimizer that holds the rows that a step does not touch"
            remedy = "take one that does, such as sign_sgd, lazy_adam or row_clock_adam"
            raise InputError("optimizer.inner.name", name, rule, remedy)
        return self

    @field_serializer("inner")
    def _plain_inner(self, inner: BaseOptimizerSpec) -> dict[str, Any]:
        return inner.model_dump(mode="json", exclude=set(_OUTSIDE))

    @classmethod
    @override
    def eps_remedy(cls) -> str:
        return "give optimizer.inner.eps if the inner optimizer has one, else remove optimizer.eps"

    @override
    def divides(self) -> bool | None:
        return self.inner.divides()

    @override
    def build(self, params: ParamsT) -> Optimizer:
        from torch import nn, zeros

        whole = {"lr": self.lr, "row_accumulate": self.row_accumulate}
        alone = self.inner.model_copy(update=whole).build([nn.Parameter(zeros(1))])
        optimizer: Optimizer = imported("spadam.optim.schedule_free.ScheduleFree")(
            params, momentum=self.momentum, inner=type(alone), **alone.defaults
        )
        return optimizer

    @override
    def when_all_touched(self) -> Mapping[str, Any]:
        inner = self.inner.model_copy(update={"row_accumulate": self.row_accumulate, "schedule": self.schedule})
        return {"momentum": self.momentum, "inner": inner.when_all_touched()}
