"""Adagrad with one accumulator a row."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor
from torch.optim.optimizer import ParamsT
from typing_extensions import override

from spadam import kernels
from spadam.optim.rows.accumulation import Due
from spadam.optim.rows.optimizer import RowOptimizer
from spadam.optim.rows.touched import as_rows
from spadam.optim.specs.rowwise_adagrad import EPS, LR


@final
class RowwiseAdagrad(RowOptimizer):
    r"""FBGEMM's row-wise Adagrad, the usual optimizer of recommenders' embedding tables.

    One accumulator a row, the sum over steps of the mean of its squared gradient. Untouched rows hold, as in any
    Adagrad. It is *not* for long trainings that must keep learning: the accumulator only grows.

    .. math::
        s = s + \tfrac1D \textstyle\sum_d g_d^2 \qquad w = w - α \frac{g}{\sqrt s + ε} \qquad \text{in touched rows}

    ``lr`` α, ``eps`` ε, D the features, s the state "sum" (L, 1). Epsilon is added to √s; there is no bias correction.

    Reference: Duchi et al., "Adaptive Subgradient Methods", JMLR 2011; FBGEMM ``EmbOptimType.EXACT_ROWWISE_ADAGRAD``,
    without weight decay.

    >>> import torch
    >>> table = torch.nn.Embedding(10, 4, sparse=True)
    >>> optimizer = RowwiseAdagrad(table.parameters(), lr=1e-2)
    >>> table(torch.tensor([3, 5, 3])).sum().backward()
    >>> optimizer.step()
    >>> optimizer.touched(table.weight)
    tensor([3, 5])
    """

    holds = True

    def __init__(self, params: ParamsT, lr: float | Tensor = LR, eps: float = EPS, *, row_accumulate: int = 1) -> None:
        super().__init__(params, {"lr": lr, "eps": eps, "row_accumulate": row_accumulate})

    @override
    def _waiting(self, group: dict[str, Any]) -> dict[str, float]:
        return {}

    @override
    def _begin(self, state: dict[str, Any], param: Tensor, group: dict[str, Any]) -> None:
        state["sum"] = param.new_zeros(len(as_rows(param)), 1)

    @override
    def _update(self, weight_LD: Tensor, state: dict[str, Any], group: dict[str, Any], due: Due) -> None:
        kernels.choose(weight_LD.device).row_update(
            weight_LD,
            None,
            state["sum"],
            due.rows_of(len(weight_LD)),
            due.grad_RD,
            beta1=0.0,
            beta2=1.0,
            gain2=1.0,
            step_size=float(group["lr"]),
            eps=group["eps"],
            average=due.average,
        )

    @override
    def denominator(self, param: Tensor, rows: Tensor) -> Tensor:
        root_R1: Tensor = self._state_of(param)["sum"][rows].sqrt()
        root_R1 += self._group_of(param)["eps"]
        return root_R1.expand(-1, as_rows(param).shape[1])
