"""What diagnostics may ask of any optimizer after a step: which rows it touched, and what it divided by there."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor
from torch.optim import Optimizer

from spadam.optim.native import DENOMINATORS
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
