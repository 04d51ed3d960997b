"""Naming classes by where they are: what a spec builds, and what a person has written."""

from __future__ import annotations

import importlib
import os
from typing import Any, Final

from spadam.spec.error import InputError

NO_CUSTOM: Final = "SPADAM_NO_CUSTOM"
"""In the environment: code that a file names is refused, here and in whatever this process starts."""


def imported(path: str) -> Any:
    """What ``path`` (package.module.Name) names. So a spec names what it builds: torch takes seconds to import."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def check_import_path(path: str, argument: str) -> str:
    """``path``, if it may name a class; nothing is imported. Else :class:`InputError` about ``argument``."""
    if "." not in path or not all(part.isidentifier() for part in path.split(".")):
        raise InputError(argument, path, "must name a class in a module", "write package.module.Class")
    _check_trusted(path, argument)
    return path


def import_subclass(path: str, base: str, argument: str) -> Any:
    """The class of a person's own at ``path``, a subclass of that at ``base``; else :class:`InputError`."""
    _check_trusted(path, argument)
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # importing runs the user's code: whatever goes wrong there is about this path
        rule = f"its module could not be imported ({type(error).__name__}: {error})"
        raise InputError(argument, path, rule, "check the path, or install the package") from error
    if not (isinstance(found, type) and issubclass(found, imported(base))):
        raise InputError(argument, path, f"must name a {base} class", f"check what {module} holds")
    return found


def _check_trusted(path: str, argument: str) -> None:
    """Raise :class:`InputError` where no code is to run that a file names."""
    if os.environ.get(NO_CUSTOM, "").strip() not in ("", "0"):
        rule = f"it names code, and none that a file names is run here (--no-custom, or {NO_CUSTOM})"
        raise InputError(argument, path, rule, "leave that out where you trust the file and what it names")
