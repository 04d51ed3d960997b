"""Reading YAML: plain values of one mapping, within bounds that hold before much has been read.

Whoever writes a file by hand stays far below every bound; a file beyond one is another kind of file, or a trap.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scanner import Scanner
from typing_extensions import override

from spadam.spec.document import Document
from spadam.spec.error import InputError, Mistakes, line_of
from spadam.spec.keys import with_space
from spadam.spec.nodes import DEEPEST, Node, Tree, too_deep
from spadam.spec.source import MOST_BYTES, read_text, too_large
from spadam.spec.syntax import syntax_error

_YAML = "1.2"


def load(path: Path) -> Document:
    """Read the YAML file at ``path``. Raises :class:`InputError` when it cannot be read or is not one mapping."""
    return parse(read_text(path), str(path))


def parse(text: str, name: str) -> Document:
    """Read YAML 1.2 ``text``: plain values only, no tags, no duplicate keys, one mapping with text keys.

    Raises one :class:`InputError` that tells of every value that is none; bad syntax is told of alone.
    """
    root = _read(text, lambda line: f"{name}:{line}" if line else name)
    data = None if root is None else root.data
    if not isinstance(data, dict):
        rule, remedy = "the file must hold one mapping of keys to values", "see the README for an example"
        if data is None:
            rule += ", and it is empty" if not text.strip() else ", and it holds nothing but comments"
        elif isinstance(data, str) and (meant := with_space(data.split("\n")[0])) is not None:
            remedy = f"write {meant}"
        raise InputError(name, data, rule, remedy, f"{name}:{root.line}" if root else "")
    assert root is not None
    return Document(data, dict(root.places()), name)


def parse_value(text: str, source: str) -> Any:
    """The value that ``text`` is in YAML, as :func:`parse` reads those of a file; ``source`` is the place in errors."""
    root = _read(text, lambda _: source)
    return None if root is None else root.data


def _read(text: str, where: Callable[[int], str]) -> Node | None:
    """The tree that ``text`` holds, None for an empty one. ``where`` says the place of a line; 0 is none."""
    if len(text) > MOST_BYTES:
        raise too_large(where(0))
    yaml, mistakes = YAML(typ="safe", pure=True), Mistakes()
    yaml.Scanner = _Scanner
    tree = Tree(where, mistakes, yaml.resolver, yaml.constructor)
    try:
        _refuse_version(text, where)
        root = tree.build(yaml.parse(text))
    except InputError as error:  # a bound: what stood before it may be nonsense
        raise error from None
    except _TooDeep as error:
        raise too_deep(where(error.line)) from None
    except YAMLError as error:
        mistakes.add(syntax_error(error, text, where))
        root = None
    mistakes.tell(line_of)
    return root


class _TooDeep(Exception):
    """More levels are opened than may lie in each other."""

    def __init__(self, line: int) -> None:
        self.line = line


class _Scanner(Scanner):
    """The scanner, but that it stops at the deepest level: it reads ahead, and with every level more slowly."""

    @override
    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:
        super().fetch_flow_collection_start(TokenClass, to_push)
        if len(self.flow_context) > DEEPEST:
            raise _TooDeep(self.reader.line + 1)


def _refuse_version(text: str, where: Callable[[int], str]) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        if not (line.startswith(("%", "#")) or not line.strip()):
            return
        found = re.match(r"%YAML\s+(\S+)", line)
        if found and found[1] != _YAML:
            rule = f"files are read as YAML {_YAML}; other versions read some values otherwise (010, yes)"
            raise InputError("%YAML", found[1], rule, "remove the line", where(number))
