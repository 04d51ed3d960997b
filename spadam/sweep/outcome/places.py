"""Where sweeps lie, told to a person who has named a place where none is."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from spadam.spec import InputError, nearest_path
from spadam.sweep.store.home import FILE, POINTER

_MOST_SHOWN = 5


def sweeps_in(folder: Path) -> list[Path]:
    """The folders in ``folder`` that hold a sweep, by name."""
    return sorted({path.parent for name in (FILE, POINTER) for path in _glob(folder, f"*/{name}")})


def no_sweep(folder: Path) -> InputError:
    """What to say of ``folder``, which should hold a sweep and holds none."""
    rule = f"the folder must hold a sweep ({FILE} or {POINTER})"
    remedy = "give the folder that `spadam sweep run` wrote: OUT/<sweep name>"
    if folder.is_file():
        rule, remedy = f"{rule}, and this is a file", "give the folder of the sweep: OUT/<sweep name>"
    elif not folder.exists():
        rule, near = f"{rule}, and there is none", nearest_path(folder)
        remedy = f"did you mean {near}?" if near else "check the path"
    elif inside := sweeps_in(folder):
        more = f" and {len(inside) - _MOST_SHOWN} more" if len(inside) > _MOST_SHOWN else ""
        remedy = f"give one of: {', '.join(map(str, inside[:_MOST_SHOWN]))}{more}"
    elif (folder / "config.yaml").is_file():
        rule = f"{rule}, and this holds one training"
    return InputError("FOLDER", str(folder), rule, remedy)


def not_begun(name: str, out: Path) -> str:
    """What to say of the sweep called ``name``, of which nothing lies below ``out``: with where it may lie."""
    there = "" if out.exists() else ", and there is no such folder"
    return f"{name} has not begun below {out}{there}" + (f"; {hint}" if (hint := lies_elsewhere(name, out)) else "")


def lies_elsewhere(name: str, out: Path) -> str | None:
    """Where the sweep called ``name`` may lie, if not below ``out``."""
    there = {path.parent.parent for file in (FILE, POINTER) for path in _glob(out.parent, f"*/{name}/{file}")}
    if there:
        return f"one of that name lies below {', '.join(map(str, sorted(there)[:_MOST_SHOWN]))}"
    if near := difflib.get_close_matches(name, [path.name for path in sweeps_in(out)], 1):
        return f"one called {near[0]} has"
    return None


def _glob(folder: Path, pattern: str) -> Iterator[Path]:
    try:
        yield from folder.glob(pattern)
    except OSError:  # it cannot be looked into
        return
