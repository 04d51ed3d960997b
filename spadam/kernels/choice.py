"""Who runs the hot loops: the choice for a device, and what it brings with it."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Literal

import torch

from spadam.kernels import reference

Choice = Literal["auto", "compiled", "reference"]
"""Who a person wants to run the hot loops."""

_choice: Choice = "auto"


def choose(device: torch.device) -> ModuleType:
    """The module whose functions run on ``device``: compiled loops on a CPU, torch operations elsewhere.

    Within ``torch.compile`` they are torch operations too: these it can look into.
    """
    if device.type == "cpu" and _choice != "reference" and not torch.compiler.is_compiling():
        return _compiled()
    return reference


@contextlib.contextmanager
def use(choice: Choice) -> Iterator[None]:
    """Force the choice for a while, in the whole process; `compiled` serves a CPU only, `auto` changes nothing."""
    global _choice
    before = _choice
    _choice = before if choice == "auto" else choice
    try:
        yield
    finally:
        _choice = before


def prepare(device: torch.device) -> None:
    """Get the kernels of ``device`` ready: the first time on a machine, compiling takes up to half a minute."""
    if choose(device) is not reference:
        importlib.import_module("spadam.kernels.cpu.warmup").prepare()


def is_prepared(device: torch.device) -> bool:
    """Whether :func:`prepare` would find all that it wants compiled already."""
    if choose(device) is reference:
        return True
    found: bool = importlib.import_module("spadam.kernels.cpu.warmup").is_prepared()
    return found


def cache_folder() -> str:
    """Where compiled loops are kept."""
    found: str = importlib.import_module("spadam.kernels.cpu.compiling").cache_folder()
    return found


def flushes_denormals() -> bool:
    """Whether the calling thread makes numbers too small to be normal zero."""
    return bool((torch.tensor([2.0**-140]) * 1 == 0).item())


def follow_denormals() -> None:
    """Let all threads of compiled loops treat denormal numbers as the calling thread does."""
    if choose(torch.device("cpu")) is not reference:
        importlib.import_module("spadam.kernels.cpu.denormals").flush_denormals()


def name(device: torch.device) -> Literal["compiled", "reference"]:
    """What a run on ``device`` records as its kernels."""
    return "reference" if choose(device) is reference else "compiled"


@cache
def _compiled() -> ModuleType:
    """The compiled loops, imported when first used: importing them takes half a second."""
    return importlib.import_module("spadam.kernels.cpu")
