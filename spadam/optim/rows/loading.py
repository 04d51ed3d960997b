"""What a saved state must be like for an optimizer to go on from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from spadam.optim.rows.accumulation import begin_sums
from spadam.optim.rows.touched import as_rows
from spadam.spec import InputError

REMEDY = "load a state of the same optimizer and the same parameters"


def check_saved(saved: Mapping[str, Any], begun: Mapping[str, Any], param: Tensor, number: int) -> None:
    """Raise :class:`InputError` unless ``saved``, the state of parameter ``number``, could be that of ``param``.

    ``param`` stands on the device `meta`, and so does ``begun``, the state that the optimizer begins with.
    """
    weight_LD = as_rows(param)
    pending = begin_sums(weight_LD, len(weight_LD))
    place = f"state[{number}]"
    for name in [*begun, *saved]:
        if name not in saved:
            raise InputError(f"{place}.{name}", None, "the saved state lacks it", REMEDY)
        if name not in begun and name not in pending:
            raise InputError(f"{place}.{name}", None, "this optimizer keeps no such state", REMEDY)
        want, found = {**pending, **begun}[name], saved[name]
        if isinstance(want, Tensor):
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            if shape != tuple(want.shape):
                raise InputError(f"{place}.{name}", shape, f"its shape must be {tuple(want.shape)}", REMEDY)
