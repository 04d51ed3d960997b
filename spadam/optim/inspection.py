"""What diagnostics may ask of any optimizer after a step: which rows it touched, and what it divided by there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor
from torch.optim import Adagrad, Adam, AdamW, Optimizer, RMSprop

from spadam.optim.rows.optimizer import RowOptimizer
from spadam.optim.rows.touched import as_rows, touched_rows
from spadam.spec import InputError


class View(Protocol):
    """Asked after a step and before the next backward pass; answers for each parameter by itself."""

    def touched(self, param: Tensor) -> Tensor:
        """The rows that the last step touched, (R,) int64 ascending."""

    def denominator(self, param: Tensor, rows: Tensor) -> Tensor | None:
        """What the update divides by at ``rows`` (R,), epsilon included, (R, D); None where it divides by nothing.

        Raises :class:`InputError` before the first step of ``param``.
        """


def _adam(state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    v: Tensor = state["max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq"]
    root: Tensor = v.sqrt() / math.sqrt(1 - float(group["betas"][1]) ** float(state["step"]))
    return root + float(group["eps"])


def _rmsprop(state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    v: Tensor = state["square_avg"]
    if group["centered"]:
        v = v - state["grad_avg"].square()
    return v.sqrt() + float(group["eps"])


def _adagrad(state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    total: Tensor = state["sum"]
    return total.sqrt() + float(group["eps"])


DENOMINATORS: dict[type[Optimizer], Callable[[dict[str, Any], dict[str, Any]], Tensor]] = {
    Adam: _adam,
    AdamW: _adam,
    RMSprop: _rmsprop,
    Adagrad: _adagrad,
}
"""What each divides by after a step, in the shape of the parameter; the others divide by nothing that is known here."""


class NativeView:
    """The view of an optimizer that knows nothing of rows.

    The rows touched are read from ``param.row_samples`` and from the gradient, so ask before gradients are cleared.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._denominator = DENOMINATORS.get(type(optimizer))

    def touched(self, param: Tensor) -> Tensor:
        """The rows that the present gradient touches, (R,) ascending."""
        return touched_rows(param)

    def denominator(self, param: Tensor, rows: Tensor) -> Tensor | None:
        """What the update divides by at ``rows``, (R, D); None for an optimizer that is not in the table."""
        if self._denominator is None:
            return None
        state = self._optimizer.state.get(param, {})
        if not state or state["step"] == 0:  # Adagrad has its state from the beginning
            raise InputError("denominator", None, "the parameter has had no step yet", "ask after its first step")
        group = next(g for g in self._optimizer.param_groups if any(p is param for p in g["params"]))
        return as_rows(self._denominator(state, group))[rows]


def view(optimizer: Optimizer) -> View:
    """The view of ``optimizer``: itself for a row optimizer."""
    return optimizer if isinstance(optimizer, RowOptimizer) else NativeView(optimizer)
