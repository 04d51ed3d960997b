"""What a state must be like for an optimizer to go on from it: one that was saved, and one that others handle.

Shapes: L rows of a parameter, D features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from spadam.optim.rows.accumulation import begin_sums
from spadam.optim.rows.touched import as_rows
from spadam.spec import InputError

COUNTS = ("last_step", "row_step", "pending")
"""What a state holds of whole numbers, one a row."""

REMEDY = "load a state of the same optimizer and the same parameters"


def check_saved(saved: Mapping[str, Any], begun: Mapping[str, Any], param: Tensor, number: int) -> None:
    """Raise :class:`InputError` unless ``saved``, the state of parameter ``number``, could be that of ``param``.

    ``param`` stands on the device `meta`, and so does ``begun``, the state that the optimizer begins with.
    """
    weight_LD = as_rows(param)
    pending = begin_sums(weight_LD, len(weight_LD))
    place = f"state[{number}]"
    needed = [*begun, *(pending if any(name in saved for name in pending) else ())]
    for name in [*needed, *saved]:
        if name not in saved:
            raise InputError(f"{place}.{name}", None, "the saved state lacks it", REMEDY)
        if name not in begun and name not in pending:
            raise InputError(f"{place}.{name}", None, "this optimizer keeps no such state", REMEDY)
        want, found = {**pending, **begun}[name], saved[name]
        if isinstance(want, Tensor):
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            if shape != tuple(want.shape):
                raise InputError(f"{place}.{name}", shape, f"its shape must be {tuple(want.shape)}", REMEDY)
            if found.is_floating_point() != want.is_floating_point():
                rule = "it must be of whole numbers" if want.dtype == torch.int64 else "it must be of real numbers"
                raise InputError(f"{place}.{name}", found.dtype, rule, REMEDY)
        elif not isinstance(found, int) or found < 0:
            raise InputError(f"{place}.{name}", found, "must be a whole number, 0 or more", REMEDY)


def check_rows(state: dict[str, Any], weight_LD: Tensor) -> None:
    """Raise :class:`InputError` unless every tensor of ``state`` has the rows of its parameter.

    Who prunes or adds rows does it in the parameter and in all of these. Counts that were joined with rows of zeros in
    a real type become whole again.
    """
    rows, features = weight_LD.shape
    for name, value in state.items():
        if isinstance(value, Tensor):
            found = as_rows(value).shape
            if found[0] != rows or found[1] not in (1, features):
                rule = f"its parameter has {rows} rows of {features}"
                raise InputError(f"state.{name}", tuple(value.shape), rule, "change the state with the parameter")
            if name in COUNTS and value.is_floating_point():
                state[name] = value.long()


def modernised(state_dict: dict[str, Any]) -> dict[str, Any]:
    """``state_dict`` as it would be saved today; earlier the factors of decay stood in the state of each parameter."""
    states = {number: dict(state) for number, state in state_dict["state"].items() if state}
    groups = [dict(group) for group in state_dict["param_groups"]]
    for group in groups:
        found = [states[number].pop("betas", None) for number in group["params"] if number in states]
        if any(found):
            group["decayed_with"] = next(filter(None, found))
    return {**state_dict, "state": states, "param_groups": groups}
