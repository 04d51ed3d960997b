"""RMSprop on the touched rows, exactly as if on all."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT
from typing_extensions import override

from spadam import kernels
from spadam.optim.rows.accumulation import Due
from spadam.optim.rows.deferred_decay import decay_of, take_decays
from spadam.optim.rows.optimizer import RowOptimizer
from spadam.optim.rows.touched import as_rows
from spadam.optim.specs.rmsprop import ALPHA, EPS, LR


@final
class RMSprop(RowOptimizer):
    r"""torch.optim.RMSprop (neither centered nor with momentum): the same algorithm, at the cost of the touched rows.

    Having no first moment, a row without a gradient holds still while its second moment decays; that decay is put off
    until the row is touched again. It is *not* Adam without momentum: there is no bias correction, so with the default
    alpha a row's first update moves it by 10 lr.

    .. math::
        v = α^{Δ} v + (1-α) g^2 \qquad w = w - η \frac{g}{\sqrt v + ε} \qquad \text{in touched rows}

    ``lr`` η, ``alpha`` α, ``eps`` ε, v the state "square_avg", Δ the steps since it was brought up to date (state
    "last_step"); powers are taken in float64. A change of alpha brings all rows up to date; a state is saved as it
    stands. Epsilon is added to √v.

    Reference: Hinton, "Neural Networks for Machine Learning", lecture 6; ``torch.optim.RMSprop``.

    >>> import torch
    >>> table = torch.nn.Embedding(10, 4, sparse=True)
    >>> optimizer = RMSprop(table.parameters(), lr=1e-2)
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
        alpha: float = ALPHA,
        eps: float = EPS,
        *,
        row_accumulate: int = 1,
    ) -> None:
        super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps, "row_accumulate": row_accumulate})

    @override
    def _waiting(self, group: dict[str, Any]) -> dict[str, float]:
        return {"square_avg": group["alpha"]}

    @override
    def _begin(self, state: dict[str, Any], param: Tensor, group: dict[str, Any]) -> None:
        state["square_avg"] = torch.zeros_like(param, memory_format=torch.contiguous_format)

    @override
    def _update(self, weight_LD: Tensor, state: dict[str, Any], group: dict[str, Any], due: Due) -> None:
        (decay,) = take_decays(state, self._waiting(group), due.rows_R, weight_LD.dtype)
        kernels.choose(weight_LD.device).row_update(
            weight_LD,
            None,
            as_rows(state["square_avg"]),
            due.rows_of(len(weight_LD)),
            due.grad_RD,
            beta1=0.0,
            beta2=group["alpha"],
            decay2=decay,
            step_size=float(group["lr"]),
            eps=group["eps"],
            average=due.average,
        )

    @override
    def denominator(self, param: Tensor, rows: Tensor) -> Tensor:
        state, group = self._state_of(param), self._group_of(param)
        v_RD: Tensor = as_rows(state["square_avg"])[rows]
        root_RD = (v_RD * decay_of(state, group["decayed_with"][0], rows, v_RD.dtype)).sqrt()
        root_RD += group["eps"]
        return root_RD
