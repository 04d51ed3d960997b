"""How a configuration describes Adagrad."""

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

LR, EPS = 1e-2, 1e-10  # torch's


class AdagradSpec(BaseOptimizerSpec):
    """torch.optim.Adagrad on row-sparse gradients: each element's step shrinks with all its gradients so far."""

    gradient: ClassVar[Literal["coo", "dense"]] = "coo"
    lr_center: ClassVar[float] = 1e-2
    moves_untouched: ClassVar[bool] = False
    epsilon_enters: ClassVar[str] = "√(sum of g²) + ε"

    name: Literal["adagrad"] = "adagrad"
    lr: Lr = LR
    """Step size."""
    eps: float = Field(EPS, ge=0)
    """Added to the root of the sum."""
    lr_decay: float = Field(0.0, ge=0)
    """The lr of step t is divided by 1 + (t-1) times this."""
    initial_accumulator_value: float = Field(0.0, ge=0)
    """Where each sum starts."""
    row_accumulate: int = Field(1, ge=1)
    """Sum a row's gradients until so many samples have come, then apply them."""

    @override
    def build(self, params: ParamsT) -> Optimizer:
        optimizer: Optimizer = imported("spadam.optim.adagrad.Adagrad")(
            params,
            lr=self.lr,
            lr_decay=self.lr_decay,
            initial_accumulator_value=self.initial_accumulator_value,
            eps=self.eps,
            row_accumulate=self.row_accumulate,
        )
        return optimizer
