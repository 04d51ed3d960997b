"""The sign of the momentum."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, final

import torch
from pydantic import Field
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT
from typing_extensions import override

from spadam.optim.rows.accumulation import Due
from spadam.optim.rows.optimizer import RowOptimizer
from spadam.optim.rows.touched import as_rows
from spadam.optim.spec import BaseOptimizerSpec

LR, MOMENTUM = 1e-4, 0.9  # of the paper's ImageNet runs

_BLOCK = 1 << 17
"""Elements worked on at a time: temporaries of this size stay in cache."""


@final
class Signum(RowOptimizer):
    r"""Every element moves by lr, in the direction that its momentum has.

    Untouched rows decay and move as well: the sign of a momentum stays when its size decays, so a row goes on by lr a
    step for as long as its momentum is not exactly zero. In float32 a decaying number rounds to a fixed denormal and
    never reaches zero, unless denormals are flushed (``torch.set_flush_denormal(True)``). It is *not* aware of scale:
    where gradients vanish it still moves by lr.

    .. math::
        m = β m + (1-β) g \qquad w = w - α \operatorname{sign}(m) \qquad \text{in every row}

    ``lr`` α, ``momentum`` β, m the state "exp_avg". There is no epsilon: nothing is divided.

    Reference: Bernstein et al., "signSGD", ICML 2018, algorithm 2. A trainer of sparse autoencoders (EleutherAI's
    sparsify) has it as its default, there with schedule-free averaging.

    >>> import torch
    >>> table = torch.nn.Embedding(10, 4, sparse=True)
    >>> optimizer = Signum(table.parameters(), lr=1e-4)
    >>> table(torch.tensor([3, 5, 3])).sum().backward()
    >>> optimizer.step()
    >>> optimizer.touched(table.weight)
    tensor([3, 5])
    """

    holds = False

    def __init__(
        self, params: ParamsT, lr: float | Tensor = LR, momentum: float = MOMENTUM, *, row_accumulate: int = 1
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "row_accumulate": row_accumulate})

    @override
    def _begin(self, state: dict[str, Any], param: Tensor, group: dict[str, Any]) -> None:
        state["exp_avg"] = torch.zeros_like(param, memory_format=torch.contiguous_format)

    @override
    def _update(self, weight_LD: Tensor, state: dict[str, Any], group: dict[str, Any], due: Due) -> None:
        lr, beta, m_LD = float(group["lr"]), group["momentum"], as_rows(state["exp_avg"])
        m_LD.mul_(beta)
        m_LD.index_add_(0, due.rows_R, due.grad_RD * (1 - beta))
        size = max(1, _BLOCK // max(1, weight_LD.shape[1]))
        for start in range(0, len(weight_LD), size):
            block = slice(start, start + size)
            weight_LD[block].sub_(m_LD[block].sign().mul_(lr))

    @override
    def denominator(self, param: Tensor, rows: Tensor) -> None:
        return None


class SignumSpec(BaseOptimizerSpec):
    """The sign of the momentum: every element moves by lr in every step, untouched rows too."""

    gradient: ClassVar[Literal["coo", "dense"]] = "coo"
    lr_center: ClassVar[float] = 3e-4
    moves_untouched: ClassVar[bool] = True
    epsilon_enters: ClassVar[str] = "none"

    name: Literal["signum"] = "signum"
    lr: float = Field(LR, gt=0)
    """Step size: how far every element moves."""
    momentum: float = Field(MOMENTUM, ge=0, lt=1)
    """How much of the momentum stays in a step."""
    row_accumulate: int = Field(1, ge=1)
    """Sum a row's gradients until so many samples have come, then apply them."""

    @override
    def build(self, params: ParamsT) -> Optimizer:
        return Signum(params, lr=self.lr, momentum=self.momentum, row_accumulate=self.row_accumulate)
