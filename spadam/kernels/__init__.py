"""The few hot loops of a training step, and the choice of who runs them.

``reference`` says in torch operations what each one means, on any device; ``cpu`` offers the same names with the same
meaning, compiled. :func:`choose` is the one place where a device is given its kernels; :func:`use` forces the choice.
Importing this package does not import torch: a configuration names a :data:`Choice`.
"""

import importlib
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from spadam.kernels.choice import (
        cache_folder,
        choose,
        flushes_denormals,
        follow_denormals,
        name,
        prepare,
        use,
    )

Choice = Literal["auto", "compiled", "reference"]
"""Who a person wants to run the hot loops."""

_NEEDS_TORCH = {"cache_folder", "choose", "flushes_denormals", "follow_denormals", "name", "prepare", "use"}
"""What is in :mod:`spadam.kernels.choice`, imported when it is asked for."""


def __getattr__(asked: str) -> Any:
    if asked not in _NEEDS_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {asked!r}")
    found = globals()[asked] = getattr(importlib.import_module("spadam.kernels.choice"), asked)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_NEEDS_TORCH})


__all__ = [
    "Choice",
    "cache_folder",
    "choose",
    "flushes_denormals",
    "follow_denormals",
    "name",
    "prepare",
    "use",
]
