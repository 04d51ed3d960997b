"""What kind of value must stand somewhere, and how to write the one that was probably meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic_core import ErrorDetails

from spadam.spec.keys import nearest, with_space
from spadam.spec.numbers import is_number, without_comma

_LARGEST = 2**63
_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}
_MAPPING = "a mapping of keys to values"
_MINUS = str.maketrans("\N{MINUS SIGN}\N{EN DASH}", "--")
"""What a page or a word processor makes of a minus."""
_YES, _NO = ("yes", "on", "true", "y", "1"), ("no", "off", "false", "n", "0")


def must_be(errors: Sequence[ErrorDetails], known: Sequence[str]) -> tuple[str, str]:
    """Rule and remedy for a value of another kind than any member of its union takes.

    ``known`` are the keys that the mapping would have, where it must be one.
    """
    kinds: list[str] = []
    for error in errors:
        kind = str(error.get("ctx", {}).get("expected", "")) if error["type"] == "literal_error" else None
        kinds.append(kind or _KINDS.get(error["type"], error["msg"].removeprefix("Input should be ")))
    if "a number" in kinds and "a whole number" in kinds:
        kinds.remove("a whole number")  # a whole number is one
    words = [word for error in errors if error["type"] == "literal_error" for word in _words(error)]
    known = known if any(error["type"].startswith("model_") for error in errors) else ()
    return f"must be {_listed(list(dict.fromkeys(kinds)))}", _remedy(errors[0]["input"], kinds, words, known)


def _listed(kinds: Sequence[str]) -> str:
    return " or ".join(kinds) if len(kinds) < 3 else f"{', '.join(kinds[:-1])} or {kinds[-1]}"


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
    if found is None and _MAPPING in kinds:
        found = _for_no_mapping(value, known)
    if found is None and "a text" in kinds and value is not None and not isinstance(value, list | dict):
        found = "put it in quotes"
    if found is None and "a list" in kinds and not isinstance(value, dict):
        found = "write it as a list, in [ ]"
    if found is None and words and len(kinds) == 1:
        found = "choose one of them"
    return found or "change the value"


def _for_no_mapping(value: object, known: Sequence[str]) -> str | None:
    """What to write instead of ``value`` where a mapping must stand; its keys are ``known`` unless they are free."""
    if isinstance(value, str) and (meant := with_space(value)) is not None:
        return f"write {meant}"
    if "name" in known:
        named = value[0] if isinstance(value, list) and len(value) == 1 else value
        return f"write {{name: {named if isinstance(named, str) and named else '…'}}}"
    if known:
        return f"write its keys: {', '.join(known)}"
    if isinstance(value, list) and value and all(isinstance(key, str) for key in value):
        return f"write each as a key with what belongs to it: {value[0]}: …"
    return None


def _for_text(text: str, kinds: Sequence[str], words: Sequence[str]) -> str | None:
    """What to write instead of ``text``, where a number, a truth value or one of ``words`` must stand."""
    bare = text.strip()
    if "a number" in kinds or "a whole number" in kinds:
        if is_number(bare):
            return f"take the quotes away: {bare}"
        if is_number(plain := bare.translate(_MINUS)):
            return f"write it with a plain minus: {plain}"
        if (number := without_comma(bare)) is not None:
            return f"write it without the comma: {number}"
    if "true or false" in kinds:
        if bare in ("true", "false"):
            return f"take the quotes away: {bare}"
        if bare.lower() in _YES + _NO:
            return f"write {'true' if bare.lower() in _YES else 'false'}"
    if words:
        return write_instead(text, words) if nearest(text, words) else None
    return None


def _for_number(value: int | float, kinds: Sequence[str]) -> str | None:
    if "a whole number" in kinds and isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST:
        return f"write {int(value)}"
    if "true or false" in kinds and value in (0, 1):
        return f"write {'true' if value else 'false'}"
    return None
