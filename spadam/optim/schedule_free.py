"""Schedule-free averaging around an optimizer that holds untouched rows."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.optim.optimizer import ParamsT
from typing_extensions import override

from spadam.kernels.reference import Average
from spadam.optim.rows.accumulation import Due
from spadam.optim.rows.optimizer import RowOptimizer
from spadam.optim.rows.options import widened
from spadam.optim.rows.touched import as_rows
from spadam.optim.sign_sgd import SignSGD
from spadam.optim.specs.schedule_free import LR, MOMENTUM
from spadam.spec import InputError


@final
class ScheduleFree(RowOptimizer):
    r"""Schedule-free averaging: an inner optimizer steps z, and x, the average of all z, is what is evaluated.

    Gradients are taken at y, between the two, which is what the parameter holds; :meth:`average` gives x. While a row
    is silent its z holds, and x draws nearer to it by a known factor, so nothing is done for the row and nothing is
    lost: x is exact at any time, as if every row had been averaged in every step. The y of a silent row stays where it
    was until the row is touched, where that of a dense schedule-free optimizer follows x: of what the two do this is
    the one difference, and there is none in rows that every step touches. It is *not* for inner optimizers that move
    untouched rows (dense Adam, Signum), and it is *not* evaluated as it stands: training code of this package evaluates
    and saves x; a loop of your own copies :meth:`average`.

    .. math::
        z_t &= z_{t-1} - \text{inner step at } y_{t-1} \qquad x_t = (1 - c_t) x_{t-1} + c_t z_t
        \qquad c_t = \frac{w_t}{W_t} \qquad W_t = W_{t-1} + w_t \\
        y_t &= β x_t + (1-β) z_t \qquad \text{in touched rows, and } x_{t+Δ} - z = \frac{W_t}{W_{t+Δ}} (x_t - z)
        \text{ in others}

    ``momentum`` β, w the square of the largest lr so far (constant lr: c = 1/t, W_t/W_{t+Δ} = t/(t+Δ)). What is kept is
    the state "lag", W (x - z), which does not change while z holds, and "lead" (L, 1), by which y = z + lead · lag;
    in the group "weight_sum" W and "lr_max". ``inner`` is the class of the inner optimizer, whose other options are
    given beside. There is no epsilon but the inner optimizer's.

    Reference: Defazio et al., "The Road Less Scheduled", 2024; ``schedulefree.ScheduleFreeWrapper``, whose defaults
    (r = 0, weight_lr_power = 2, no decay) are what is done here. Around :class:`SignSGD` with momentum 0.95 it is what
    EleutherAI's sparsify trains with by default.

    >>> import torch
    >>> from spadam.optim import LazyAdam
    >>> table = torch.nn.Embedding(10, 4, sparse=True)
    >>> optimizer = ScheduleFree(table.parameters(), lr=1e-2, inner=LazyAdam, betas=(0.0, 0.999))
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
        momentum: float = MOMENTUM,
        *,
        inner: type[RowOptimizer] = SignSGD,
        row_accumulate: int = 1,
        **options: Any,
    ) -> None:
        if not getattr(inner, "holds", False):
            rule = "the inner optimizer must be one of ours that holds the rows that a step does not touch"
            raise InputError("inner", inner.__name__, rule, "take another, such as SignSGD or LazyAdam")
        build: Any = inner
        alone = build([nn.Parameter(torch.zeros(1))], lr=lr, row_accumulate=row_accumulate, **options)
        self._kind, self.active, self.around = inner, inner.active, inner.__name__
        super().__init__(params, {**alone.defaults, "momentum": momentum})

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_kind": self._kind, "active": self.active, "around": self.around}

    @property
    def _inner(self) -> RowOptimizer:
        """The inner optimizer, which has groups and states in common with this one."""
        inner = object.__new__(self._kind)
        inner.param_groups, inner.state = self.param_groups, self.state
        return inner

    @override
    def _begin_step(self, group: dict[str, Any]) -> None:
        largest = group["lr_max"] = max(float(group["lr"]), group.get("lr_max", 0.0))
        before = group["weight_before"] = group.get("weight_sum", 0.0)
        group["weight_sum"] = before + largest**2

    @override
    def _waiting(self, group: dict[str, Any]) -> dict[str, float]:
        return self._inner._waiting(group)

    @override
    def _begin(self, state: dict[str, Any], param: Tensor, group: dict[str, Any]) -> None:
        self._inner._begin(state, param, group)
        state["lag"] = torch.zeros_like(param, memory_format=torch.contiguous_format)
        state["lead"] = param.new_zeros(len(as_rows(param)), 1)

    @override
    def _update(self, weight_LD: Tensor, state: dict[str, Any], group: dict[str, Any], due: Due) -> None:
        weight = group["weight_sum"]
        lead = group["momentum"] / weight if weight else 0.0
        average = Average(as_rows(state["lag"]), state["lead"], group["weight_before"], lead)
        self._inner._update(weight_LD, state, group, due._replace(average=average))

    @override
    def denominator(self, param: Tensor, rows: Tensor) -> Tensor | None:
        return self._inner.denominator(param, rows)

    @override
    def average(self, param: Tensor) -> Tensor:
        """x, what is to be evaluated: a new tensor like ``param``; before the first step its weights."""
        state = self.state.get(param)
        if not state:
            return param.detach().clone()
        weight = self._group_of(param)["weight_sum"]
        share_L1 = (1 / weight if weight else 0.0) - state["lead"]
        y_LD = widened(as_rows(param.detach()))
        x_LD: Tensor = y_LD + share_L1 * as_rows(state["lag"])
        return x_LD.to(param.dtype).reshape(param.shape)
