"""The kinds of YAML and JSON files that there are here, told apart by their keys: each command takes one."""

from __future__ import annotations

import os.path
from typing import NamedTuple

from spadam.spec.document import Document
from spadam.spec.error import InputError
from spadam.spec.keys import nearest


class Kind(NamedTuple):
    """A kind of file."""

    what: str
    """What such a file is, as a person says it."""
    marks: tuple[str, ...]
    """Keys that it may have and no other kind has."""
    taken: str
    """Who takes it; FILE stands for its name, FOLDER for the folder that it lies in."""


RUN = Kind(
    "the configuration of one run",
    ("data", "model", "optimizer", "probe", "trainer", "tracking"),
    "`spadam train FILE` takes it; a sweep has these keys under `base`",
)
SWEEP = Kind(
    "the file of a sweep",
    ("base", "variants", "space", "search", "repeat", "objective"),
    "`spadam sweep run FILE` takes it",
)
RESULT = Kind(
    "the result of a training",
    ("status", "metrics", "arrays", "warnings", "config", "provenance", "evaluations"),
    "give the YAML file that the training was made from, such as FOLDER/config.yaml",
)
KINDS = (RUN, SWEEP, RESULT)
_MARKS = frozenset(mark for kind in KINDS for mark in kind.marks)

_MOST_SHOWN = 5


def check_kind(document: Document, wanted: Kind) -> None:
    """Raise :class:`InputError` when ``document`` is of another kind than ``wanted``, or of none.

    A file with any key of its own kind is of that kind, whatever else is wrong with it, and so is one with a key that
    was probably meant to be one.
    """
    keys = document.data
    if any(key in wanted.marks or (key not in _MARKS and nearest(key, wanted.marks)) for key in keys):
        return
    found = next((kind for kind in KINDS if sum(key in kind.marks for key in keys) > 1), None)
    if found is not None:
        folder = os.path.dirname(document.name) or "."
        remedy = found.taken.replace("FILE", document.name).replace("FOLDER", folder)
        raise InputError(document.name, None, f"must be {wanted.what}, and is {found.what}", remedy)
    if len(keys) > 1:
        shown = ", ".join(list(keys)[:_MOST_SHOWN]) + (", …" if len(keys) > _MOST_SHOWN else "")
        rule = f"must be {wanted.what}, and has none of its keys ({', '.join(wanted.marks)}) but {shown}"
        raise InputError(document.name, None, rule, "check the path")
