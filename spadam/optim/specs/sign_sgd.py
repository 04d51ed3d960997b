"""How a configuration describes SignSGD."""

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

LR = 1e-4  # of the paper's ImageNet runs


class SignSGDSpec(BaseOptimizerSpec):
    """The sign of the gradient: every element of a touched row moves by lr, untouched rows hold."""

    gradient: ClassVar[Literal["coo", "dense"]] = "coo"
    lr_center: ClassVar[float] = 1e-3
    moves_untouched: ClassVar[bool] = False
    epsilon_enters: ClassVar[str] = "none"

    name: Literal["sign_sgd"] = "sign_sgd"
    lr: Lr = LR
    """Step size: how far every element moves."""
    row_accumulate: int = Field(1, ge=1)
    """Sum a row's gradients until so many samples have come, then apply them."""

    @override
    def build(self, params: ParamsT) -> Optimizer:
        optimizer: Optimizer = imported("spadam.optim.sign_sgd.SignSGD")(
            params, lr=self.lr, row_accumulate=self.row_accumulate
        )
        return optimizer
