"""Lightning without what it brings along for metrics that nobody here asks for.

Lightning imports all of torchmetrics, and that imports transformers wherever it is installed, for metrics of text: a
second more until every worker trains, and in a notebook a warning of its progress bars.
"""

from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from typing_extensions import override

_ASKING = ("torchmetrics.functional.text", "torchmetrics.functional.multimodal")
"""What asks for transformers, of which the first is imported before all others."""


class _Slim(importlib.abc.MetaPathFinder):
    """Finds nothing; but before metrics of text are imported it tells torchmetrics that transformers is missing."""

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in _ASKING and (known := sys.modules.get("torchmetrics.utilities.imports")) is not None:
            for name in [name for name in vars(known) if name.startswith("_TRANSFORMERS")]:
                setattr(known, name, False)
        return None


def slim() -> None:
    """Have this process import Lightning without transformers; of no effect where it has imported it already.

    Its metrics of text then say that transformers is missing, so this is for processes of our own: the command line and
    workers, not for a program that imports spadam.
    """
    if not any(isinstance(finder, _Slim) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Slim())
