"""Whether what a sweep searches are keys of a configuration, found out by their names alone."""

from __future__ import annotations

import types
from typing import Any, get_origin

from spadam.config import RunConfig
from spadam.spec import all_keys, fields_at, nearest_key
from spadam.sweep.definition.relative_axes import RELATIVE
from spadam.sweep.definition.space import Range

_SHOWN = 4
_A_VARIANT = "make each list a variant"


def why_not(axis: str, range_: Range | None) -> tuple[str, str] | None:
    """Rule and remedy where no variant could be searched for ``axis``; None where one might, whatever its options."""
    known = (*all_keys(RunConfig), *RELATIVE)
    if axis not in known:
        return None if _is_free(axis) else ("no configuration has this key", nearest_key(axis, known))
    inner = [key for key in known if key.startswith(f"{axis}.") and key not in RELATIVE]
    if inner and not _only_null(range_):
        return "it holds keys, and one of them can be searched", f"search {', '.join(inner[:_SHOWN])}, …"
    if axis not in RELATIVE and all(_is_list(field.annotation) for field in fields_at(RunConfig, axis)):
        keys = [key for key in (f"{axis.removesuffix('s')}{n}" for n in (1, 2)) if key in known]
        return "it is a list, and a range gives one value", f"search {' and '.join(keys)}" if keys else _A_VARIANT
    return None


def _only_null(range_: Range | None) -> bool:
    return range_ is None or range_.choices == (None,)


def _is_free(axis: str) -> bool:
    """Whether it lies in a mapping whose keys are its owner's own, such as `optimizer.options` of a custom one."""
    parents = axis.split(".")[:-1]
    within = (".".join(parents[:depth]) for depth in range(1, len(parents) + 1))
    return any(_holds_dict(field.annotation) for parent in within for field in fields_at(RunConfig, parent))


def _holds_dict(annotation: Any) -> bool:
    parts = getattr(annotation, "__args__", ())
    return get_origin(annotation) is dict or any(_holds_dict(part) for part in parts)


def _is_list(annotation: Any) -> bool:
    parts = [part for part in getattr(annotation, "__args__", ()) if part is not types.NoneType]
    return get_origin(annotation) in (tuple, list) or (bool(parts) and all(map(_is_list, parts)))
