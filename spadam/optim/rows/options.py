"""What the options of a row optimizer may be, in its arguments, in a group and in a saved state alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from spadam.spec import InputError

_BESIDE = {
    "params",
    # what a row optimizer keeps in a group
    "optimizer",
    "decayed_with",
    "lr_max",
    "weight_before",
    "weight_sum",
    # what names a group or its parameters
    "param_names",
    "name",
    # what torch's schedules keep in a group
    "initial_lr",
    "max_lr",
    "min_lr",
    "swa_lr",
    "base_momentum",
    "max_momentum",
}
"""What a group may hold that is not an option of the optimizer."""

SMALL = (torch.float16, torch.bfloat16)
"""Types whose moments would stall or overflow: parameters of these are updated in float32, and so is their state."""

TYPES = (torch.float32, torch.float64, *SMALL)
"""What a parameter may consist of."""


class _Rule(NamedTuple):
    rule: str
    holds: Callable[[Any], bool]


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _share(value: Any) -> bool:
    return _number(value) and 0 <= value < 1


def _at_least_0(value: Any) -> bool:
    return _number(value) and value >= 0


def _lr(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.numel() == 1 and not value.is_complex() and _at_least_0(float(value))
    return _at_least_0(value)


def _betas(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and all(map(_share, value))


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


_FROM_0 = _Rule("must be a finite number, 0 or more", _at_least_0)
_SHARE = _Rule("must be a number in [0, 1)", _share)
_RULES = {
    "lr": _Rule("must be a finite number, 0 or more, or a tensor of one", _lr),
    "eps": _FROM_0,
    "lr_decay": _FROM_0,
    "initial_accumulator_value": _FROM_0,
    "betas": _Rule("must be two numbers, each in [0, 1)", _betas),
    "momentum": _SHARE,
    "alpha": _SHARE,
    "epsilon": _Rule("must be 'after' or 'hat'", lambda value: isinstance(value, str) and value in ("after", "hat")),
    "row_accumulate": _Rule("must be a whole number, 1 or more", _count),
}


def check_options(options: Mapping[str, Any]) -> None:
    """Raise :class:`InputError` for the first option whose value is not allowed; others are none of ours."""
    for name, value in options.items():
        if name in _RULES and not _RULES[name].holds(value):
            raise InputError(name, value, _RULES[name].rule, "change the value")


def check_group(group: Mapping[str, Any], known: Iterable[str], optimizer: str) -> None:
    """Raise :class:`InputError` for what a group holds that ``optimizer`` does not know, or not with this value."""
    if group.get("optimizer", optimizer) != optimizer:
        rule = f"it is the group of another optimizer than {optimizer}"
        raise InputError("param_groups.optimizer", group["optimizer"], rule, "begin anew, or go on with the same one")
    for name, value in group.items():
        if name not in _BESIDE and name not in known:
            rule = f"this optimizer has no such option, but {', '.join(known)}"
            raise InputError(f"param_groups.{name}", value, rule, "leave it out")
    check_options(group)


def widened(tensor: Tensor) -> Tensor:
    """In float32 if it is of a smaller type, else as it is."""
    return tensor.float() if tensor.dtype in SMALL else tensor


def check_parameter(param: Tensor) -> None:
    """Raise :class:`InputError` for a parameter whose rows cannot be trained."""
    if param.layout != torch.strided:
        raise InputError("params", param.layout, "a parameter must be dense", "use param.to_dense()")
    if param.dtype not in TYPES:
        rule = "a parameter must be float32, float64, float16 or bfloat16"
        raise InputError("params", param.dtype, rule, "of a complex one, train torch.view_as_real(parameter)")
