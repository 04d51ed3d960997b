"""Adagrad on the touched rows."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT
from typing_extensions import override

from spadam import kernels
from spadam.optim.rows.accumulation import Due
from spadam.optim.rows.optimizer import RowOptimizer
from spadam.optim.rows.touched import as_rows
from spadam.optim.specs.adagrad import EPS, LR


@final
class Adagrad(RowOptimizer):
    r"""torch.optim.Adagrad, which takes row-sparse gradients too: the same algorithm.

    Each element's steps shrink with all the gradients that it has seen. Without a gradient nothing moves or changes, so
    dense and row-sparse Adagrad are one. It is *not* for long trainings that must keep learning: the sum only grows.

    .. math::
        s = s + g^2 \qquad w = w - \frac{α}{1 + (t-1) η} \frac{g}{\sqrt s + ε} \qquad \text{in touched rows}

    ``lr`` α, ``lr_decay`` η, ``eps`` ε, t the steps of the parameter, s the state "sum" in the shape of the parameter,
    at first ``initial_accumulator_value``. Epsilon is added to √s; there is no bias correction.

    Reference: Duchi et al., "Adaptive Subgradient Methods", JMLR 2011; ``torch.optim.Adagrad``, without weight decay.

    >>> import torch
    >>> table = torch.nn.Embedding(10, 4, sparse=True)
    >>> optimizer = Adagrad(table.parameters(), lr=1e-2)
    >>> table(torch.tensor([3, 5, 3])).sum().backward()
    >>> optimizer.step()
    >>> optimizer.touched(table.weight)
    tensor([3, 5])
    """

    holds = True

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = LR,
        lr_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = EPS,
        *,
        row_accumulate: int = 1,
    ) -> None:
        options = {"lr_decay": lr_decay, "initial_accumulator_value": initial_accumulator_value}
        super().__init__(params, {"lr": lr, "eps": eps, **options, "row_accumulate": row_accumulate})

    @override
    def _waiting(self, group: dict[str, Any]) -> dict[str, float]:
        return {}

    @override
    def _begin(self, state: dict[str, Any], param: Tensor, group: dict[str, Any]) -> None:
        start = group["initial_accumulator_value"]
        state["sum"] = torch.full_like(param, start, memory_format=torch.contiguous_format)

    @override
    def _update(self, weight_LD: Tensor, state: dict[str, Any], group: dict[str, Any], due: Due) -> None:
        kernels.choose(weight_LD.device).row_update(
            weight_LD,
            None,
            as_rows(state["sum"]),
            due.rows_of(len(weight_LD)),
            due.grad_RD,
            beta1=0.0,
            beta2=1.0,
            gain2=1.0,
            step_size=float(group["lr"]) / (1 + (state["step"] - 1) * group["lr_decay"]),
            eps=group["eps"],
            average=due.average,
        )

    @override
    def denominator(self, param: Tensor, rows: Tensor) -> Tensor:
        root_RD: Tensor = as_rows(self._state_of(param)["sum"])[rows].sqrt()
        root_RD += self._group_of(param)["eps"]
        return root_RD
