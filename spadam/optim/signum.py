"""The sign of the momentum."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT
from typing_extensions import override

from spadam.optim.rows.accumulation import Due
from spadam.optim.rows.optimizer import RowOptimizer
from spadam.optim.rows.touched import as_rows
from spadam.optim.specs.signum import LR, MOMENTUM

_BLOCK = 1 << 17
"""Elements worked on at a time: temporaries of this size stay in cache."""


@final
class Signum(RowOptimizer):
    r"""Every element moves by lr, in the direction that its momentum has.

    Untouched rows decay and move as well: the sign of a momentum stays when its size decays, so a row goes on by lr a
    step for as long as its momentum is not exactly zero. In float32 a decaying number rounds to a fixed denormal and
    never reaches zero, unless denormals are flushed (``torch.set_flush_denormal(True)``). It is *not* aware of scale:
    where gradients vanish it still moves by lr. A momentum that is NaN or infinite stays so, and makes its weight NaN.
    It is *not* what the trainer sparsify calls signum: that is :class:`SignSGD`, as is this one with momentum 0.

    .. math::
        m = β m + (1-β) g \qquad w = w - α \operatorname{sign}(m) \qquad \text{in every row}

    ``lr`` α, ``momentum`` β, m the state "exp_avg". There is no epsilon: nothing is divided.

    Reference: Bernstein et al., "signSGD", ICML 2018, algorithm 2.

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
    def _waiting(self, group: dict[str, Any]) -> dict[str, float]:
        return {}

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
            m_RD = m_LD[block]
            weight_LD[block].sub_(m_RD.sign().mul_(lr).add_(m_RD * 0))  # NaN and infinities have no sign to go by

    @override
    def denominator(self, param: Tensor, rows: Tensor) -> None:
        return None
