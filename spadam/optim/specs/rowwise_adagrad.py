"""How a configuration describes RowwiseAdagrad."""

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

LR, EPS = 1e-2, 1e-8  # FBGEMM's; torch's Adagrad has eps 1e-10


class RowwiseAdagradSpec(BaseOptimizerSpec):
    """FBGEMM row-wise Adagrad: one accumulator a row, the sum of the mean of its g²."""

    gradient: ClassVar[Literal["coo", "dense"]] = "coo"
    lr_center: ClassVar[float] = 1e-2
    moves_untouched: ClassVar[bool] = False
    epsilon_enters: ClassVar[str] = "√(sum of the row's mean g²) + ε"

    name: Literal["rowwise_adagrad"] = "rowwise_adagrad"
    lr: Lr = LR
    """Step size."""
    eps: float = Field(EPS, ge=0)
    """Added to the denominator."""
    row_accumulate: int = Field(1, ge=1)
    """Sum a row's gradients until so many samples have come, then apply them."""

    @override
    def build(self, params: ParamsT) -> Optimizer:
        optimizer: Optimizer = imported("spadam.optim.rowwise_adagrad.RowwiseAdagrad")(
            params, lr=self.lr, eps=self.eps, row_accumulate=self.row_accumulate
        )
        return optimizer
