"""What all row optimizers share: they list the rows that a gradient touches and update those.

Shapes: L rows of a parameter, D features, R rows touched (or due, see :mod:`spadam.optim.rows.accumulation`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from spadam.optim.rows.accumulation import Due, take_due
from spadam.optim.rows.changes import RowChanges, set_row_changes
from spadam.optim.rows.touched import as_rows, list_rows, row_samples, set_row_samples
from spadam.spec import InputError


class RowOptimizer(Optimizer, ABC):
    """An ordinary torch optimizer that knows which rows of a parameter a step touches.

    It takes COO gradients (duplicates are summed) and dense ones, and sees every parameter as (L, D):
    :mod:`spadam.optim.rows.touched` says which rows count as touched. A parameter whose gradient is None is left alone
    and its step is not counted; an empty COO gradient counts a step.

    A subclass says what its state is and how it updates rows; nothing of what is concrete here is overridden.
    """

    active: ClassVar[bool] = False
    """The gradient is averaged over the samples in which a row was on, so every step needs their counts."""
    holds: ClassVar[bool]
    """Only the rows that are updated change; without it a step may change any."""

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        _check(defaults)
        self._touched: dict[Tensor, Tensor] = {}
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._touched = {}
        super().__setstate__(state)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; returns the loss of ``closure`` if there is one.

        Raises :class:`InputError` for a gradient without the counts that `row_accumulate` or an `active` sample needs.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._touched = {}
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    self._step_param(param, group)
                if row_samples(param) is not None:
                    set_row_samples(param, None)
        return loss

    def _step_param(self, param: Tensor, group: dict[str, Any]) -> None:
        samples: int = group["row_accumulate"]
        count = self.active or samples > 1
        listing = list_rows(param, count=count)
        if count and listing.counts_R is None:
            raise _uncounted(self.active)
        weight_LD = as_rows(param.detach())
        state = self.state[param]
        if not state:
            state["step"] = 0
            self._begin(state, param, group)
        state["step"] += 1
        due = take_due(listing, state, samples, weight_LD.shape[0], active=self.active)
        before = param._version
        self._update(weight_LD, state, group, due)
        if weight_LD.data_ptr() != param.data_ptr():  # a layout that cannot be viewed as rows: this was a copy
            param.copy_(weight_LD.reshape(param.shape))
        set_row_changes(param, RowChanges(before, param._version, due.rows_R if self.holds else None))
        self._touched[param] = listing.rows_R

    @abstractmethod
    def _begin(self, state: dict[str, Any], param: Tensor, group: dict[str, Any]) -> None:
        """Put what ``param`` needs before its first step into ``state``, beside "step"."""

    @abstractmethod
    def _update(self, weight_LD: Tensor, state: dict[str, Any], group: dict[str, Any], due: Due) -> None:
        """Step number ``state["step"]``: update ``weight_LD`` in place, given the gradients of the rows due."""

    @abstractmethod
    def denominator(self, param: Tensor, rows: Tensor) -> Tensor | None:
        """What the update divides by at ``rows`` (R,), epsilon included, (R, D); None for an optimizer that does not.

        It is that of the last step for the rows updated then; the other rows' follows from their state as it stands.
        """

    def zero_grad(self, set_to_none: bool = True) -> None:
        """As torch does it, without its note for a profiler, which takes as long as a small parameter's update."""
        if not set_to_none:
            super().zero_grad(set_to_none=False)
            return
        for group in self.param_groups:
            for param in group["params"]:
                param.grad = None

    def touched(self, param: Tensor) -> Tensor:
        """The rows of ``param`` that the last step touched, (R,) ascending; none if it left ``param`` alone."""
        none = torch.empty(0, dtype=torch.int64, device=param.device)
        return self._touched.get(param, none)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a saved state. Counts stay the whole numbers they are, where torch would make floats of them."""
        super().load_state_dict(state_dict)
        ids = chain.from_iterable(group["params"] for group in state_dict["param_groups"])
        params = chain.from_iterable(group["params"] for group in self.param_groups)
        for param_id, param in zip(ids, params, strict=True):
            for key, value in state_dict["state"].get(param_id, {}).items():
                if isinstance(value, Tensor) and not value.is_floating_point():
                    self.state[param][key] = value.to(param.device, copy=True)

    def _group_of(self, param: Tensor) -> dict[str, Any]:
        return next(group for group in self.param_groups if any(p is param for p in group["params"]))

    def _state_of(self, param: Tensor) -> dict[str, Any]:
        """The state of ``param``; asking for it before its first step is an error."""
        if param not in self.state:
            raise InputError("denominator", None, "the parameter has had no step yet", "ask after its first step")
        state: dict[str, Any] = self.state[param]
        return state


def _check(defaults: dict[str, Any]) -> None:
    for name, value, rule, holds in _rules(defaults):
        if not holds:
            raise InputError(name, value, rule, "change the value")


def _rules(defaults: dict[str, Any]) -> Iterator[tuple[str, object, str, bool]]:
    for name in ("lr", "eps"):
        if name in defaults:
            yield name, defaults[name], "must be 0 or more", defaults[name] >= 0
    for beta in defaults.get("betas", ()):
        yield "betas", defaults["betas"], "each must be in [0, 1)", 0 <= beta < 1
    if "momentum" in defaults:
        yield "momentum", defaults["momentum"], "must be in [0, 1)", 0 <= defaults["momentum"] < 1
    if "epsilon" in defaults:
        yield "epsilon", defaults["epsilon"], "must be 'after' or 'hat'", defaults["epsilon"] in ("after", "hat")
    samples = defaults["row_accumulate"]
    yield "row_accumulate", samples, "must be a whole number, 1 or more", isinstance(samples, int) and samples >= 1


def _uncounted(active: bool) -> InputError:
    needs = "an `active` sample" if active else "row_accumulate"
    rule = f"{needs} needs to know how many samples stand behind each row, and this gradient does not tell"
    remedy = "set param.row_samples = (rows, counts, batch) before step, call spadam.optim.count_rows(embedding), or "
    return InputError("row_samples", None, rule, remedy + "pass an uncoalesced COO gradient with one entry a sample")
