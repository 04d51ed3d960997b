"""Reading YAML: plain values of one mapping, within bounds that hold before much has been read.

Whoever writes a file by hand stays far below every bound; a file beyond one is another kind of file, or a trap.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from spadam.spec.document import Document
from spadam.spec.error import InputError, Mistakes, line_of
from spadam.spec.nodes import Node, Tree

_MOST_BYTES = 256_000
_YAML = "1.2"


def load(path: Path) -> Document:
    """Read the YAML file at ``path``. Raises :class:`InputError` when it cannot be read or is not one mapping."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        rule = f"the file must be readable ({error.strerror})"
        raise InputError(str(path), None, rule, _remedy_for(path)) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        if len(raw) <= _MOST_BYTES:
            raise InputError(str(path), None, "the file must be UTF-8 text", "give a YAML file") from None
        text = ""
    if len(raw) > _MOST_BYTES:
        raise _too_large(str(path))
    return parse(text, str(path))


def parse(text: str, name: str) -> Document:
    """Read YAML 1.2 ``text``: plain values only, no tags, no duplicate keys, one mapping with text keys.

    Raises one :class:`InputError` that tells of every value that is none; bad syntax is told of alone.
    """
    root = _read(text, lambda line: f"{name}:{line}" if line else name)
    data = None if root is None else root.data
    if not isinstance(data, dict):
        rule, remedy = "the file must hold one mapping of keys to values", "see the README for an example"
        raise InputError(name, data, rule, remedy)
    assert root is not None
    return Document(data, dict(root.places()), name)


def parse_value(text: str, source: str) -> Any:
    """The value that ``text`` is in YAML, as :func:`parse` reads those of a file; ``source`` is the place in errors."""
    root = _read(text, lambda _: source)
    return None if root is None else root.data


def _read(text: str, where: Callable[[int], str]) -> Node | None:
    """The tree that ``text`` holds, None for an empty one. ``where`` says the place of a line; 0 is none."""
    if len(text) > _MOST_BYTES:
        raise _too_large(where(0))
    yaml, mistakes = YAML(typ="safe", pure=True), Mistakes()
    tree = Tree(where, mistakes, yaml.resolver, yaml.constructor)
    try:
        _refuse_version(text, where)
        root = tree.build(yaml.parse(text))
    except InputError as error:  # a bound: what stood before it may be nonsense
        raise error from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = where(mark.line + 1 if mark else 0)
        mistakes.add(InputError("YAML", None, str(error.problem or error.context), "mend the syntax", place))
        root = None
    except YAMLError as error:  # a character that no YAML may hold
        place = where(text.count("\n", 0, getattr(error, "position", 0)) + 1)
        mistakes.add(InputError("YAML", None, str(error).splitlines()[0], "mend the syntax", place))
        root = None
    mistakes.tell(line_of)
    return root


def _refuse_version(text: str, where: Callable[[int], str]) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        if not (line.startswith(("%", "#")) or not line.strip()):
            return
        found = re.match(r"%YAML\s+(\S+)", line)
        if found and found[1] != _YAML:
            rule = f"files are read as YAML {_YAML}; other versions read some values otherwise (010, yes)"
            raise InputError("%YAML", found[1], rule, "remove the line", where(number))


def _too_large(name: str) -> InputError:
    rule = f"the file must have at most {_MOST_BYTES // 1000} kB"
    return InputError(name, None, rule, "check the path: a configuration is a few lines of YAML")


def _remedy_for(path: Path) -> str:
    if path.is_dir() and (path / "config.yaml").is_file():
        return f"give the file in it: {path / 'config.yaml'}"
    if path.is_symlink() and not path.exists():
        return f"it is a link to {path.readlink()}, which is not there"
    return "check the path"
