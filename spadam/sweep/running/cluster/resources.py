"""What one training has of its node: `cpus=1,gpus=0.25`."""

from __future__ import annotations

import math
from typing import NamedTuple

from spadam.spec import InputError, nearest

_ARGUMENT = "--per-trial"
_EXAMPLE = "write it as cpus=1,gpus=0.25"
_LEAST = 1e-4
"""Ray counts in such parts."""


class Share(NamedTuple):
    """So much of a node."""

    cpus: float = 1.0
    gpus: float = 0.0

    def __str__(self) -> str:
        return f"cpus={self.cpus:g},gpus={self.gpus:g}"

    def times_in(self, cpus: float, gpus: float) -> int:
        """How often it fits into a node of so many."""
        fits = cpus / self.cpus if not self.gpus else min(cpus / self.cpus, math.floor(gpus) * self._of_one_gpu())
        return math.floor(fits + 1e-9)

    def _of_one_gpu(self) -> int:
        """A training sees one GPU: its part is of a single one."""
        return math.floor(1 / self.gpus + 1e-9)


def parse_share(text: str) -> Share:
    """The share that ``text`` says; what it does not name is one core, and no GPU.

    Raises :class:`InputError` for anything but a core's part above 0, and a GPU's part of at most 1: a training uses
    one.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, equals, written = (piece.strip() for piece in part.partition("="))
        if not equals or not written:
            raise InputError(
                _ARGUMENT, text, f"every part must be a name, = and a number, and {part!r} is not", _EXAMPLE
            )
        if name not in Share._fields:
            near = nearest(name, Share._fields)
            remedy = f"did you mean {near}?" if near else _EXAMPLE
            raise InputError(_ARGUMENT, text, f"a training has cpus and gpus, and no {name!r}", remedy)
        if name in found:
            raise InputError(_ARGUMENT, text, f"{name} is said twice", _EXAMPLE)
        found[name] = _number(text, name, written)
    return Share(**found)


def _number(text: str, name: str, written: str) -> float:
    try:
        value = float(written)
    except ValueError:
        raise InputError(_ARGUMENT, text, f"{name} must be a number, and {written!r} is none", _EXAMPLE) from None
    if not math.isfinite(value) or value < 0:
        raise InputError(_ARGUMENT, text, f"{name} must be a finite number, and not below 0", _EXAMPLE)
    if name == "cpus" and value == 0:
        raise InputError(_ARGUMENT, text, "cpus must be above 0: every training computes on some core", _EXAMPLE)
    if 0 < value < _LEAST:
        raise InputError(_ARGUMENT, text, f"{name} must be at least {_LEAST:g}: Ray counts no smaller parts", _EXAMPLE)
    if name == "gpus" and value > 1:
        rule = "gpus must be at most 1: a training uses one GPU, or a part of one"
        raise InputError(_ARGUMENT, text, rule, "write gpus=1")
    return value
