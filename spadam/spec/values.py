"""What kind of value must stand somewhere, and how to write the one that was probably meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic_core import ErrorDetails

from spadam.spec.keys import nearest
from spadam.spec.numbers import is_number, without_comma

_KINDS = {
    "int_type": "a valid integer",
    "int_from_float": "a valid integer",
    "float_type": "a valid number",
    "bool_type": "a valid boolean",
    "string_type": "a valid string",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}
_YES, _NO = ("yes", "on", "true", "y", "1"), ("no", "off", "false", "n", "0")


def must_be(errors: Sequence[ErrorDetails], known: Sequence[str]) -> tuple[str, str]:
    """Rule and remedy for a value of another kind than any member of its union takes.

    ``known`` are the keys that the mapping would have, where it must be one.
    """
    kinds: list[str] = []
    for error in errors:
        kind = str(error.get("ctx", {}).get("expected", "")) if error["type"] == "literal_error" else None
        kinds.append(kind or _KINDS.get(error["type"], error["msg"].removeprefix("Input should be ")))
    if "a valid number" in kinds and "a valid integer" in kinds:
        kinds.remove("a valid integer")  # a whole number is one
    words = [word for error in errors if error["type"] == "literal_error" for word in _words(error)]
    return f"must be {' or '.join(dict.fromkeys(kinds))}", _remedy(errors[0]["input"], kinds, words, known)


def write_instead(word: str, names: Sequence[str]) -> str:
    """What to write instead of ``word``, which is none of ``names``."""
    close = nearest(word, names)
    return f"did you mean {close}?" if close else f"choose one of: {', '.join(names)}"


def _words(error: ErrorDetails) -> list[str]:
    return re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))


def _remedy(value: object, kinds: Sequence[str], words: Sequence[str], known: Sequence[str]) -> str:
    found: str | None = None
    if isinstance(value, str):
        found = _for_text(value, kinds, words)
    elif isinstance(value, bool) or value is None:
        found = None
    elif isinstance(value, int | float):
        found = _for_number(value, kinds)
    if found is None and any(kind.startswith("a mapping") for kind in kinds):
        found = f"write its keys: {', '.join(known)}" if known and not isinstance(value, str) else None
        if isinstance(value, str) and "name" in known:
            found = f"write {{name: {value}}}"
    if found is None and "a valid string" in kinds and value is not None and not isinstance(value, list | dict):
        found = "put it in quotes"
    if found is None and "a list" in kinds and not isinstance(value, dict):
        found = "write it as a list, in [ ]"
    return found or "change the value"


def _for_text(text: str, kinds: Sequence[str], words: Sequence[str]) -> str | None:
    """What to write instead of ``text``, where a number, a truth value or one of ``words`` must stand."""
    bare = text.strip()
    if "a valid number" in kinds or "a valid integer" in kinds:
        if is_number(bare):
            return f"take the quotes away: {bare}"
        if (number := without_comma(bare)) is not None:
            return f"write it without the comma: {number}"
    if "a valid boolean" in kinds:
        if bare in ("true", "false"):
            return f"take the quotes away: {bare}"
        if bare.lower() in _YES + _NO:
            return f"write {'true' if bare.lower() in _YES else 'false'}"
    if words:
        return write_instead(text, words) if nearest(text, words) else None
    return None


def _for_number(value: int | float, kinds: Sequence[str]) -> str | None:
    if "a valid integer" in kinds and isinstance(value, float) and value.is_integer():
        return f"write {int(value)}"
    if "a valid boolean" in kinds and value in (0, 1):
        return f"write {'true' if value else 'false'}"
    return None
