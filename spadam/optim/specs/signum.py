"""How a configuration describes Signum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from spadam.optim.scaled_lr import Lr
from spadam.optim.spec import BaseOptimizerSpec
from spadam.optim.specs.sign_sgd import SignSGDSpec
from spadam.spec import imported

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.optimizer import ParamsT

LR, MOMENTUM = 1e-4, 0.9  # of the paper's ImageNet runs


class SignumSpec(BaseOptimizerSpec):
    """The sign of the momentum: every element moves by lr in every step, untouched rows too."""

    gradient: ClassVar[Literal["coo", "dense"]] = "coo"
    lr_center: ClassVar[float] = 3e-4
    moves_untouched: ClassVar[bool] = True
    epsilon_enters: ClassVar[str] = "none"

    name: Literal["signum"] = "signum"
    lr: Lr = LR
    """Step size: how far every element moves."""
    momentum: float = Field(MOMENTUM, ge=0, lt=1)
    """How much of the momentum stays in a step; without any it is sign_sgd, and untouched rows hold."""
    row_accumulate: int = Field(1, ge=1)
    """Sum a row's gradients until so many samples have come, then apply them."""

    @property
    @override
    def holds(self) -> bool:
        return self.momentum == 0

    @property
    def _without_momentum(self) -> SignSGDSpec:
        return SignSGDSpec(lr=self.lr, row_accumulate=self.row_accumulate, schedule=self.schedule, ema=self.ema)

    @override
    def when_all_touched(self) -> Mapping[str, Any]:
        return self._without_momentum.when_all_touched() if self.holds else super().when_all_touched()

    @override
    def build(self, params: ParamsT) -> Optimizer:
        if self.holds:
            return self._without_momentum.build(params)
        optimizer: Optimizer = imported("spadam.optim.signum.Signum")(
            params, lr=self.lr, momentum=self.momentum, row_accumulate=self.row_accumulate
        )
        return optimizer
