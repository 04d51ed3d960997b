"""What a YAML file says, with the place of every value, and how such mappings are laid over each other."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, NamedTuple

from ruamel.yaml import YAML

Path_ = tuple[str | int, ...]


class Document(NamedTuple):
    """What a YAML text says (``data``), where each value stands (``lines``: path to 1-based line), and its name.

    ``given`` are paths of values that a person gave beside the file, with `--set`.
    """

    data: dict[str, Any]
    lines: dict[Path_, int]
    name: str
    given: frozenset[Path_] = frozenset()

    def where(self, path: Path_) -> str:
        """``file:line`` of the value at ``path``, or of the nearest thing around it; `--set` where that gave it."""
        if any(path[:depth] in self.given for depth in range(1, len(path) + 1)):
            return "--set"
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.name}:{self.lines[path]}" if path in self.lines else self.name


def dump(data: Mapping[str, Any]) -> str:
    """``data`` as YAML that :func:`parse` reads back to the same values."""
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    stream = io.StringIO()
    yaml.dump(dict(data), stream)
    return stream.getvalue()


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """``overlay`` laid over ``base``, key by key; a mapping whose ``name`` differs replaces the old one whole."""
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            same = "name" not in old or value.get("name", old["name"]) == old["name"]
            merged[key] = merge(old, value) if same else value
        else:
            merged[key] = value
    return merged


def assign(data: Mapping[str, Any], dotted: str, value: object) -> dict[str, Any]:
    """``data`` with ``value`` at ``dotted`` (``optimizer.lr``). Setting another ``name`` leaves the sibling keys."""
    first, _, rest = dotted.partition(".")
    copy = dict(data)
    if not rest:
        copy[first] = value
        return copy
    inner = copy.get(first)
    copy[first] = assign(inner if isinstance(inner, Mapping) else {}, rest, value)
    return copy
