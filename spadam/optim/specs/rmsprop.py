"""How a configuration describes RMSprop."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from spadam.optim.scaled_lr import Lr
from spadam.optim.spec import BaseOptimizerSpec
from spadam.spec import imported

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.optimizer import ParamsT

LR, ALPHA, EPS = 1e-2, 0.99, 1e-8  # torch's


class RMSpropSpec(BaseOptimizerSpec):
    """torch.optim.RMSprop: no first moment, so untouched rows hold while their second moment decays."""

    gradient: ClassVar[Literal["coo", "dense"]] = "coo"
    lr_center: ClassVar[float] = 1e-3
    moves_untouched: ClassVar[bool] = False
    epsilon_enters: ClassVar[str] = "√v + ε: there is no bias correction"

    name: Literal["rmsprop"] = "rmsprop"
    lr: Lr = LR
    """Step size."""
    alpha: float = Field(ALPHA, ge=0, lt=1)
    """How much of the second moment stays in a step."""
    eps: float = Field(EPS, ge=0)
    """Added to √v."""
    row_accumulate: int = Field(1, ge=1)
    """Sum a row's gradients until so many samples have come, then apply them."""

    @override
    def build(self, params: ParamsT) -> Optimizer:
        optimizer: Optimizer = imported("spadam.optim.rmsprop.RMSprop")(
            params, lr=self.lr, alpha=self.alpha, eps=self.eps, row_accumulate=self.row_accumulate
        )
        return optimizer
