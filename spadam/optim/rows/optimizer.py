"""What all row optimizers share: they list the rows that a gradient touches and update those.

Shapes: L rows of a parameter, D features, R rows touched (or due, see :mod:`spadam.optim.rows.accumulation`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from spadam.optim.rows.accumulation import Due, take_due
from spadam.optim.rows.changes import RowChanges, set_row_changes
from spadam.optim.rows.count_rows import uncount
from spadam.optim.rows.deferred_decay import defer, follow
from spadam.optim.rows.loading import REMEDY, check_rows, check_saved, modernised
from spadam.optim.rows.options import check_group, check_options, check_parameter, widened
from spadam.optim.rows.touched import as_rows, list_rows, set_row_samples
from spadam.spec import InputError


class RowOptimizer(Optimizer, ABC):
    """An ordinary torch optimizer that knows which rows of a parameter a step touches.

    It takes COO gradients (duplicates are summed) and dense ones, and sees every parameter as (L, D):
    :mod:`spadam.optim.rows.touched` says which rows count as touched. A parameter whose gradient is None is left alone
    and its step is not counted; an empty COO gradient counts a step. A gradient with NaN or infinity makes the elements
    of its row that it reaches NaN or infinite, as in torch, so that the loss tells; other rows go on.

    A subclass says what its state is and how it updates rows; nothing of what is concrete here is overridden.
    """

    active: bool = False
    """The gradient is averaged over the samples in which a row was on, so every step needs their counts."""
    around: str | None = None
    """The optimizer that this one is wrapped around."""
    holds: ClassVar[bool]
    """Only the rows that are updated change; without it a step may change any."""

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        check_options(defaults)
        self._touched: dict[Tensor, Tensor] = {}
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._touched = {}
        super().__setstate__(state)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; returns the loss of ``closure`` if there is one.

        Raises :class:`InputError` for a gradient without the counts that `row_accumulate` or an `active` sample needs,
        and for options in a group that are not allowed, before anything is changed.
        """
        for group in self.param_groups:
            check_group(group, self.defaults, self._name)
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._touched = {}
        for group in self.param_groups:
            if waiting := self._waiting(group):
                follow(group, waiting, self.state)
            if any(param.grad is not None for param in group["params"]):
                self._begin_step(group)
            for param in group["params"]:
                if param.grad is not None:
                    self._step_param(param, group)
                if getattr(param, "row_samples", None) is not None:
                    set_row_samples(param, None)
        return loss

    def _step_param(self, param: Tensor, group: dict[str, Any]) -> None:
        samples: int = group["row_accumulate"]
        count = self.active or samples > 1
        listing = list_rows(param, count=count)
        if count and listing.counts_R is None:
            if len(listing.rows_R):
                raise _uncounted(self.active)
            listing = listing._replace(counts_R=listing.rows_R)  # no row, no count
        weight_LD = widened(as_rows(param.detach()))
        state = self.state[param]
        if state:
            check_rows(state, weight_LD)
        else:
            state |= self._beginning(widened(param.detach()), group)
        state["step"] += 1
        due = take_due(listing, state, samples, weight_LD.shape[0], active=self.active)
        before = param._version
        self._update(weight_LD, state, group, due)
        if weight_LD.data_ptr() != param.data_ptr():  # a copy: of a small type, or of a layout that is not rows
            param.copy_(weight_LD.reshape(param.shape))
        set_row_changes(param, RowChanges(before, param._version, due.rows_R if self.holds else None))
        self._touched[param] = listing.rows_R

    def _beginning(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """The state of ``param`` before its first step."""
        state: dict[str, Any] = {"step": 0}
        self._begin(state, param, group)
        if self._waiting(group):
            defer(state, len(as_rows(param)), param.device)
        return state

    @property
    def _name(self) -> str:
        name = type(self).__name__
        return name if self.around is None else f"{name}({self.around})"

    def _begin_step(self, group: dict[str, Any]) -> None:
        """Note in ``group`` what all its parameters have in common in the step that begins."""
        return

    @abstractmethod
    def _waiting(self, group: dict[str, Any]) -> dict[str, float]:
        """The moments that go on decaying in rows that hold still, each with its factor.

        Nothing shows until such a row is touched again, so their decay is put off; a subclass makes up for it then.
        """

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

    def average(self, param: Tensor) -> Tensor | None:
        """What is to be evaluated in the place of ``param``, a new tensor like it; None: its weights."""
        return None

    def zero_grad(self, set_to_none: bool = True) -> None:
        """As torch does it, without its note for a profiler, which takes as long as a small parameter's update."""
        if not set_to_none:
            super().zero_grad(set_to_none=False)
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param.grad = None
                else:
                    uncount(param)

    def touched(self, param: Tensor) -> Tensor:
        """The rows of ``param`` that the last step touched, (R,) ascending; none if it left ``param`` alone."""
        none = torch.empty(0, dtype=torch.int64, device=param.device)
        return self._touched.get(param, none)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Take another group.

        Raises :class:`InputError`, and changes nothing, for options that the optimizer does not have or not with this
        value, and for parameters that are complex or not dense.
        """
        if isinstance(param_group, dict):  # torch refuses all else
            check_group(param_group, self.defaults, self._name)
            param_group.setdefault("optimizer", self._name)
        super().add_param_group(param_group)
        try:
            for param in self.param_groups[-1]["params"]:
                check_parameter(param)
        except InputError:
            self.param_groups.pop()
            raise

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a saved state. It keeps its types, where torch would give it that of the parameter.

        Raises :class:`InputError` for a state of another optimizer or of parameters of another shape, before anything
        is changed. Hooks see and may change what is loaded, as with any optimizer of torch.
        """
        saved: list[tuple[Tensor, str, Tensor, torch.dtype]] = []

        def check(_: Optimizer, hooked: dict[str, Any]) -> dict[str, Any]:
            hooked = modernised(hooked)
            saved.extend(self._check_saved(hooked))
            return hooked

        def keep(_: Optimizer) -> None:
            for param, name, value, dtype in saved:
                self.state[param][name] = value.to(param.device, dtype, copy=True)

        last = self.register_load_state_dict_pre_hook(check)  # the last: it sees what torch will load
        first = self.register_load_state_dict_post_hook(keep, prepend=True)
        try:
            super().load_state_dict(state_dict)
        finally:
            last.remove()
            first.remove()

    def _check_saved(self, state_dict: dict[str, Any]) -> list[tuple[Tensor, str, Tensor, torch.dtype]]:
        """Of a saved state what is not of the parameter's type: parameter, name, tensor, and its type here."""
        others = []
        groups = list(zip(self.param_groups, state_dict["param_groups"], strict=False))  # torch compares the numbers
        for _, saved_group in groups:
            check_group(saved_group, self.defaults, self._name)
            for name in self.defaults:
                if name not in saved_group:
                    raise InputError(f"param_groups.{name}", None, "the saved state lacks it", REMEDY)
        for group, saved_group in groups:
            for param, number in zip(group["params"], saved_group["params"], strict=False):
                saved = state_dict["state"].get(number)
                if not saved:
                    continue
                template = widened(torch.empty_like(param, device="meta"))
                check_saved(saved, self._beginning(template, saved_group), template, number)
                for name, value in saved.items():
                    if isinstance(value, Tensor):
                        dtype = template.dtype if value.is_floating_point() else value.dtype
                        if dtype != param.dtype:
                            others.append((param, name, value, dtype))
        return others

    def _group_of(self, param: Tensor) -> dict[str, Any]:
        return next(group for group in self.param_groups if any(p is param for p in group["params"]))

    def _state_of(self, param: Tensor) -> dict[str, Any]:
        """The state of ``param``; asking for it before its first step is an error."""
        if param not in self.state:
            raise InputError("denominator", None, "the parameter has had no step yet", "ask after its first step")
        state: dict[str, Any] = self.state[param]
        return state


def _uncounted(active: bool) -> InputError:
    needs = "an `active` sample" if active else "row_accumulate"
    rule = f"{needs} needs to know how many samples stand behind each row, and this gradient does not tell"
    remedy = "set param.row_samples = (rows, counts, batch) before step, call spadam.optim.count_rows(embedding), or "
    return InputError("row_samples", None, rule, remedy + "pass an uncoalesced COO gradient with one entry a sample")
