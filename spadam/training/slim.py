"""Lightning without what it brings along for metrics that nobody here asks for.

Lightning imports all of torchmetrics. That imports transformers wherever it is installed, for metrics of text, which in
a notebook warns of its progress bars; and scipy.signal, to give back a name that a package for metrics of sound wants.
Of six seconds of processor time until a worker trains both take two.
"""

from __future__ import annotations

import importlib
import importlib.abc
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from typing_extensions import override

_ASKING = ("torchmetrics.functional.text", "torchmetrics.functional.multimodal")
"""What asks for transformers, of which the first is imported before all others."""

_LATE = "scipy.signal"


class _Late(ModuleType):
    """Stands for scipy.signal until somebody asks it for anything but the name that torchmetrics looks for."""

    hamming = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # the import system asks for some that a module may lack
            raise AttributeError(name)
        if sys.modules.get(_LATE) is self:
            del sys.modules[_LATE]
        return getattr(importlib.import_module(_LATE), name)


class _Slim(importlib.abc.MetaPathFinder):
    """Finds nothing; but it sees what torchmetrics imports, and is there before.

    Before metrics of text it tells torchmetrics that transformers is missing.
    """

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "torchmetrics":
            sys.modules.setdefault(_LATE, _Late(_LATE))
        if fullname in _ASKING and (known := sys.modules.get("torchmetrics.utilities.imports")) is not None:
            for name in [name for name in vars(known) if name.startswith("_TRANSFORMERS")]:
                setattr(known, name, False)
        return None


def slim() -> None:
    """Have this process import Lightning without transformers and scipy.signal; no effect where it has imported it.

    Its metrics of text then say that transformers is missing, so this is for processes of our own: the command line and
    workers, not for a program that imports spadam. scipy.signal is imported when it is used.
    """
    if not any(isinstance(finder, _Slim) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Slim())
