"""The documents of a text: the lines of a .txt, or what the records of a .jsonl hold under a key."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from spadam.data.plain_file import check_file
from spadam.spec import InputError, nearest_path

TEXT_KEY = "text"
"""The key of a record's text where none is named."""

_LINES, _RECORDS = (".txt",), (".jsonl", ".ndjson")


class Document(NamedTuple):
    """A document that holds something."""

    number: int
    """Of its line in the file, counted from 0; empty lines count."""
    text: str


class Text:
    """The file at ``path``: its documents, and what identifies it.

    ``key`` is that of a record's text; None is :data:`TEXT_KEY`. Raises :class:`InputError` when the file cannot be
    read, or is of another kind; its lines are looked at when they are read.
    """

    def __init__(self, path: Path, key: str | None = None) -> None:
        if not path.exists() and not path.is_symlink():
            near = nearest_path(path)
            remedy = f"did you mean {near}?" if near else "check the path"
            raise InputError("--text", str(path), "there must be such a file", remedy)
        check_file(path, "--text", str(path), "give a text")
        if path.suffix not in (*_LINES, *_RECORDS):
            rule = "must be a .txt, whose lines are documents, or a .jsonl, whose records are"
            raise InputError("--text", str(path), rule, "name it so, or write a line a document")
        if key is not None and path.suffix in _LINES:
            rule = "only the records of a .jsonl have keys, and --text is a .txt"
            raise InputError("--text-key", key, rule, "remove it")
        self.path, self.empty = path, 0
        self.key = None if path.suffix in _LINES else key or TEXT_KEY

    @property
    def digest(self) -> str:
        """The file's SHA-256."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def documents(self) -> Iterator[Document]:
        """What is not empty, in order; ``empty`` counts the others. Raises :class:`InputError` about a wrong line."""
        self.empty = 0
        with self.path.open("rb") as file:
            for number, raw in enumerate(file):
                line = self._decode(raw.removeprefix(codecs.BOM_UTF8) if number == 0 else raw, number)
                text = line if self.key is None else self._record(line, number)
                if text.strip():
                    yield Document(number, text)
                else:
                    self.empty += 1

    def _decode(self, raw: bytes, number: int) -> str:
        try:
            return raw.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            rule = f"must be UTF-8, and byte {error.start} of line {number + 1} is not ({error.reason})"
            raise self._wrong(rule, "convert it: iconv -f ENCODING -t UTF-8") from None

    def _record(self, line: str, number: int) -> str:
        """The text of a record; an empty line holds none."""
        if not line.strip():
            return ""
        where = f"line {number + 1}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self._wrong(f"{where} must be JSON ({error})", "write a record a line, without line breaks") from None
        if not isinstance(record, dict):
            rule = f"{where} must be an object with the key {self.key!r}, and is {type(record).__name__}"
            raise self._wrong(rule, f'write {{"{self.key}": "…"}}')
        if self.key not in record:
            there = ", ".join(map(repr, list(record)[:8])) or "none"
            rule = f"{where} has no such key; there are: {there}"
            raise InputError("--text-key", self.key, rule, "name the key of the text")
        if not isinstance(text := record[self.key], str):
            rule = f"{where} must hold a text there, and holds {type(text).__name__}"
            raise InputError("--text-key", self.key, rule, "name the key of the text")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise self._wrong(f"{where} holds half a character (a lone surrogate)", "write it again as UTF-8")
        return text

    def _wrong(self, rule: str, remedy: str) -> InputError:
        return InputError("--text", str(self.path), rule, remedy)
