"""The points of Adam's family: one row update, and who takes part in it when.

Shapes: L rows of a parameter, D features, R rows updated in a step.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT
from typing_extensions import override

from spadam import kernels
from spadam.kernels.reference import root
from spadam.optim.rows.accumulation import Due
from spadam.optim.rows.beta_powers import power
from spadam.optim.rows.deferred_decay import decay_of, take_decays
from spadam.optim.rows.optimizer import RowOptimizer
from spadam.optim.rows.touched import as_rows
from spadam.optim.specs.adam_family import BETAS, EPS, LR, Epsilon, Point


class AdamFamily(RowOptimizer):
    """Adam at one point of the family; each subclass is its point and nothing else.

    State: "step" t; "exp_avg" m and "exp_avg_sq" v in the shape of the parameter, v (L, 1) with `second: row`;
    "row_step" (L,), updates of each row, with `clock: row`; with moments `decay` and weights `hold` "last_step" (L,),
    the step to which each row's moments have been brought.
    """

    point: ClassVar[Point]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.active = cls.point.sample == "active"
        cls.holds = cls.point.weights == "hold"

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = LR,
        betas: tuple[float, float] = BETAS,
        eps: float = EPS,
        *,
        epsilon: Epsilon | None = None,
        row_accumulate: int = 1,
    ) -> None:
        place = self.point.epsilon if epsilon is None else epsilon
        options = {"lr": lr, "betas": betas, "eps": eps, "epsilon": place, "row_accumulate": row_accumulate}
        super().__init__(params, options)

    @override
    def _waiting(self, group: dict[str, Any]) -> dict[str, float]:
        waits = self.point.moments == "decay" and self.holds
        return dict(zip(("exp_avg", "exp_avg_sq"), group["betas"], strict=True)) if waits else {}

    @override
    def _begin(self, state: dict[str, Any], param: Tensor, group: dict[str, Any]) -> None:
        rows = len(as_rows(param))
        element = self.point.second == "element"
        state["exp_avg"] = torch.zeros_like(param, memory_format=torch.contiguous_format)
        state["exp_avg_sq"] = torch.zeros_like(state["exp_avg"]) if element else param.new_zeros(rows, 1)
        if self.point.clock == "row":
            state["row_step"] = torch.zeros(rows, dtype=torch.int64, device=param.device)

    @override
    def _update(self, weight_LD: Tensor, state: dict[str, Any], group: dict[str, Any], due: Due) -> None:
        rows_R, (beta1, beta2), dtype = due.rows_R, group["betas"], weight_LD.dtype
        decay1 = decay2 = None
        if waiting := self._waiting(group):
            decay1, decay2 = take_decays(state, waiting, rows_R, dtype)
        if self.point.clock == "row":
            state["row_step"].index_add_(0, rows_R, torch.ones_like(rows_R))
        m_LD, v_LD = as_rows(state["exp_avg"]), as_rows(state["exp_avg_sq"])
        lr, eps = float(group["lr"]), group["eps"]
        correction1, root2 = self._corrections(state, (beta1, beta2), rows_R)
        step_size = lr * root2 / correction1
        if group["epsilon"] == "after":  # lr m/c1 / (√v/r2 + ε) = (lr r2/c1) m / (√v + ε r2)
            eps = eps * root2
        kernels.choose(weight_LD.device).row_update(
            weight_LD,
            m_LD,
            v_LD,
            due.rows_of(weight_LD.shape[0]),
            due.grad_RD,
            beta1=beta1,
            beta2=beta2,
            step_size=_as(dtype, step_size),
            eps=_as(dtype, eps),
            decay1=decay1,
            decay2=decay2,
            scale=due.scale_R1,
            rest=not self.holds,
            average=due.average,
        )

    def _corrections(
        self, state: dict[str, Any], betas: tuple[float, float], rows_R: Tensor
    ) -> tuple[float | Tensor, float | Tensor]:
        """1-β1ⁿ and √(1-β2ⁿ), n as the clock has it: one number, or one for each row, (R, 1) in float64."""
        beta1, beta2 = betas
        if self.point.clock == "none":
            return 1.0, 1.0
        step: int = state["step"]
        if self.point.clock == "global":
            return 1 - beta1**step, math.sqrt(1 - beta2**step)
        count_R1 = state["row_step"].index_select(0, rows_R)[:, None].clamp_(min=1)
        return 1 - power(beta1, count_R1, step), root(1 - power(beta2, count_R1, step))

    @override
    def denominator(self, param: Tensor, rows: Tensor) -> Tensor:
        state, group = self._state_of(param), self._group_of(param)
        v_RD: Tensor = as_rows(state["exp_avg_sq"])[rows]
        if self._waiting(group):
            v_RD = v_RD * decay_of(state, group["decayed_with"][1], rows, v_RD.dtype)
        root_RD = v_RD.sqrt()
        if group["epsilon"] == "after":
            root_RD = root_RD / _as(v_RD.dtype, self._corrections(state, group["betas"], rows)[1])
        root_RD += group["eps"]
        return root_RD.expand(-1, as_rows(param).shape[1])


def _as(dtype: torch.dtype, value: float | Tensor) -> float | Tensor:
    return value.to(dtype) if isinstance(value, Tensor) else value
