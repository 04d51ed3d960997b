"""The base of every configuration, and types of keys that several of them have."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from spadam.spec.error import InputError


class Spec(BaseModel):
    """A frozen description that refuses unknown keys, wrong types, and numbers that are not finite.

    What a key means stands in a string below it; :func:`spadam.schema.meanings` reads it there. Pydantic would read the
    source of every class each time it is imported, which took a third of the time of reading a configuration.
    """

    outside: ClassVar[Mapping[str, frozenset[str]]] = {}
    """Of what a key holds, by that key, what is not to be given in it: it stands beside it."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
        protected_namespaces=(),
    )


def as_tuple(value: object) -> object:
    """A YAML list as the tuple that a frozen spec holds; anything else as it is."""
    return tuple(value) if isinstance(value, list) else value


def _is_path(text: str) -> str:
    if "\0" in text:
        raise ValueError("a path must not hold the character NUL")
    return text


def at_home(path: str | os.PathLike[str], argument: str) -> Path:
    """``path`` with the home folder for a leading ~. Raises :class:`InputError` about ``argument`` where none is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        name = os.fspath(path).split("/")[0]
        raise InputError(argument, str(path), f"no home folder is known for {name}", "write the whole path") from None


PathText = Annotated[str, AfterValidator(_is_path)]
"""A path as a person writes it; a leading ~ is the home folder."""
