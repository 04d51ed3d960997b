"""The sign of the gradient."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor
from torch.optim.optimizer import ParamsT
from typing_extensions import override

from spadam import kernels
from spadam.optim.rows.accumulation import Due
from spadam.optim.rows.optimizer import RowOptimizer
from spadam.optim.specs.sign_sgd import LR


@final
class SignSGD(RowOptimizer):
    r"""Every element of a touched row moves by lr, against its gradient; one whose gradient is 0 stays.

    Nothing is remembered, so an untouched row holds: a gradient and 49 steps without one move a row by lr, where
    :class:`Signum` moves it by 50 lr. Elements of a row that fires seldom move as far as those of one that fires
    always, by each gradient. It is *not* aware of scale: where gradients vanish it still moves by lr. A gradient that
    is NaN or infinite makes its weight NaN.

    .. math::
        w = w - α \operatorname{sign}(g) \qquad \text{in touched rows}

    ``lr`` α. There is no epsilon: nothing is divided; and no state but the number of steps.

    Reference: Bernstein et al., "signSGD", ICML 2018, algorithm 1. A trainer of sparse autoencoders (EleutherAI's
    sparsify) calls it signum, and has it as its default within schedule-free averaging.

    >>> import torch
    >>> table = torch.nn.Embedding(10, 4, sparse=True)
    >>> optimizer = SignSGD(table.parameters(), lr=1e-4)
    >>> table(torch.tensor([3, 5, 3])).sum().backward()
    >>> optimizer.step()
    >>> optimizer.touched(table.weight)
    tensor([3, 5])
    """

    holds = True

    def __init__(self, params: ParamsT, lr: float | Tensor = LR, *, row_accumulate: int = 1) -> None:
        super().__init__(params, {"lr": lr, "row_accumulate": row_accumulate})

    @override
    def _waiting(self, group: dict[str, Any]) -> dict[str, float]:
        return {}

    @override
    def _begin(self, state: dict[str, Any], param: Tensor, group: dict[str, Any]) -> None:
        pass

    @override
    def _update(self, weight_LD: Tensor, state: dict[str, Any], group: dict[str, Any], due: Due) -> None:
        kernels.choose(weight_LD.device).sign_update(
            weight_LD, due.rows_of(weight_LD.shape[0]), due.grad_RD, float(group["lr"]), due.average
        )

    @override
    def denominator(self, param: Tensor, rows: Tensor) -> None:
        return None
