"""Full precision within autocast: which latents win, and the few products of those, are not computed in half."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import torch

F = TypeVar("F", bound=Callable[..., Any])


def full_precision(function: F) -> F:
    """Let ``function`` compute in the types of its tensors, whatever autocast asks for around it.

    The sparse products have no form in half precision, and one of the dense product would choose other latents in
    training than in evaluation.
    """

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if not (torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda")):
            return function(*args, **kwargs)
        with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            return function(*args, **kwargs)

    return cast(F, run)
