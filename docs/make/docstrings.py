"""How docstrings become pages of the reference.

They name things as their readers know them, not by the module that holds them: ``:class:`RowClockAdam``` is found
wherever the reference documents that name. A name that it does not document is shown as code; one that several things
bear is an error.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from pydantic import BaseModel
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

_log = logging.getLogger(__name__)

_MARKED_UP = re.compile(r"(?<![`\w])((?::\w+:`[^`]+`)|(?:``[^`\s](?:[^`]*[^`\s])?``))(?=\w)")
_PARAMETERS = re.compile(r"params: (?:~?[\w.]*Iterable\[.*\]\]|\S*ParamsT)(?=[,)])")


def find(name: str, documented: list[str]) -> list[str]:
    """Those of ``documented`` that end with ``name``."""
    parts = name.split(".")
    return [full for full in documented if full.split(".")[-len(parts) :] == parts]


def tidy(lines: list[str]) -> None:
    """Mend in place what reStructuredText would not take as it is meant.

    Letters may follow a word that is marked up ("``read``s"); what Python says of a field that has no text is no text.
    """
    if lines and lines[0].startswith("Alias for field number"):
        lines.clear()
    lines[:] = [_MARKED_UP.sub(r"\1\\ ", line) for line in lines]


def shorten(signature: str) -> str:
    """``signature`` with torch's own name for what an optimizer takes, not what it stands for."""
    return _PARAMETERS.sub("params: ParamsT", signature)


def _link(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement) -> nodes.reference | None:
    if node.get("refdomain") != "py":
        return None
    objects = {name: entry for name, entry in env.domains.python_domain.objects.items() if not entry.aliased}
    name = str(node["reftarget"])
    found = find(name, list(objects))
    if not found and name.startswith("spadam."):  # a room's name for what one of its files holds
        found = find(name.rpartition(".")[2], list(objects))
    if len(found) > 1:
        _log.warning("%s may be any of %s", name, ", ".join(found), location=node)
    if len(found) != 1:
        return None
    entry = objects[found[0]]
    return make_refnode(app.builder, str(node["refdoc"]), entry.docname, entry.node_id, content, found[0])


def _docstring(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    tidy(lines)


def _signature(
    app: Sphinx, what: str, name: str, thing: object, options: object, signature: str | None, returned: str | None
) -> tuple[str, str | None] | None:
    if isinstance(thing, type) and issubclass(thing, BaseModel):
        return "", None  # its fields have tables of their own; as arguments they would fill a page
    return None if signature is None else (shorten(signature), returned)


def setup(app: Sphinx) -> dict[str, Any]:
    """Let Sphinx ask here."""
    app.connect("missing-reference", _link)
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("autodoc-process-signature", _signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
