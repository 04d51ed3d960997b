"""Values that are kept as JSON, and read when they are asked for: results are large, and few are looked at whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from typing_extensions import override

_LARGE = 1000
"""A text of so many characters that is an object is read key by key."""


class Unread(Mapping[str, Any]):
    """Values as JSON texts, each read when it is asked for."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._read: dict[str, Any] = {}

    @override
    def __getitem__(self, key: str) -> Any:
        if key not in self._read:
            text = self._texts[key]
            self._read[key] = Opened(text) if len(text) > _LARGE and text.startswith("{") else json.loads(text)
        return self._read[key]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    @override
    def __len__(self) -> int:
        return len(self._texts)


class Opened(Mapping[str, Any]):
    """A JSON object, read from its beginning as far as the keys that are asked for. Raises ValueError when it is none.

    Of a key that stands there twice, which no writer of JSON does, the first value counts.
    """

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        """What is left to be read begins with the brace, with a comma, or with the end."""
        self._read: dict[str, Any] = {}

    @override
    def __getitem__(self, key: str) -> Any:
        while key not in self._read and self._step():
            pass
        return self._read[key]

    @override
    def __iter__(self) -> Iterator[str]:
        while self._step():
            pass
        return iter(self._read)

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _step(self) -> bool:
        """Read one more key with its value; false at the end."""
        if self._at < 0:
            return False
        found = _NEXT.match(self._text, self._at)
        if found is None or (found["mark"] == "{") != (self._at == 0):
            raise ValueError("this is no JSON object")
        if found["mark"] == "}" or found["empty"]:
            self._at = -1
            return False
        key, at = _DECODER.raw_decode(self._text, found.end())
        colon = _COLON.match(self._text, at)
        if colon is None or not isinstance(key, str):
            raise ValueError("this is no JSON object")
        value, self._at = _DECODER.raw_decode(self._text, colon.end())
        self._read.setdefault(key, value)
        return True


_DECODER = json.JSONDecoder()
_NEXT = re.compile(r"\s*(?P<mark>[{,}])\s*(?P<empty>\}?)")
_COLON = re.compile(r"\s*:\s*")
