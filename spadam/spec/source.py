"""The text of a file that a person names: found, read within bounds, and decoded; or what it is instead of a text."""

from __future__ import annotations

import difflib
import os
import select
import stat
from pathlib import Path

from spadam.spec.error import InputError

MOST_BYTES = 256_000
"""Whoever writes a file by hand stays far below it; a larger one is another kind of file, or a trap."""

_PATIENCE = 10.0
"""Seconds until somebody must have written into a pipe."""

_DATABASE = b"SQLite format 3\0"
_MARKS = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
"""What files in other encodings of Unicode begin with."""


def read_text(path: Path) -> str:
    """What the file at ``path`` says. Raises :class:`InputError` when it cannot be read, or is no text."""
    try:
        raw = _read(path)
    except IsADirectoryError:
        raise InputError(str(path), None, "must be a file, and is a folder", _instead(path)) from None
    except FileNotFoundError:
        rule = "the file must be readable (No such file or directory)"
        raise InputError(str(path), None, rule, remedy_for_none(path)) from None
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise InputError(str(path), None, f"the file must be readable ({said})", "check the path") from None
    return _decode(raw, path)


def nearest_path(path: Path) -> Path | None:
    """What lies beside ``path``, where there is nothing, and was probably meant; None when nothing is like it."""
    try:
        close = difflib.get_close_matches(path.name, os.listdir(path.parent), 1)
    except (OSError, ValueError):
        return None
    return path.with_name(close[0]) if close else None


def remedy_for_none(path: Path) -> str:
    """What to do where ``path`` names nothing."""
    if path.is_symlink():
        return f"it is a link to {path.readlink()}, which is not there"
    near = nearest_path(path)
    return f"did you mean {near}?" if near else "check the path"


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # an empty pipe would block
    with open(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if stat.S_ISFIFO(mode) and not select.select([descriptor], [], [], _PATIENCE)[0]:
            raise OSError(None, "it is a pipe into which nobody writes")
        os.set_blocking(descriptor, True)
        return file.read(MOST_BYTES + 1)


def _decode(raw: bytes, path: Path) -> str:
    if len(raw) > MOST_BYTES:
        raise too_large(str(path))
    if raw.startswith(_DATABASE):
        remedy = "give the folder that it lies in, or the sweep's YAML file"
        raise InputError(str(path), None, "must be UTF-8 text, and is a database", remedy)
    mark = next((mark for mark in _MARKS if raw.startswith(mark)), None)
    encoding = _MARKS[mark] if mark else "UTF-16" if _alternates(raw) else None
    if encoding is not None:
        raise InputError(str(path), None, f"must be UTF-8 text, and is {encoding}", "save it as UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if b"\0" in raw:
            raise InputError(str(path), None, "must be UTF-8 text, and is a binary file", "give a YAML file") from None
        line = raw.count(b"\n", 0, error.start) + 1
        rule = f"must be UTF-8 text, and line {line} is none"
        raise InputError(str(path), None, rule, "save it as UTF-8") from None


def _alternates(raw: bytes) -> bool:
    """Whether every other byte is 0, as in English text of two bytes a letter."""
    return len(raw) >= 4 and (not any(raw[1:200:2]) or not any(raw[0:200:2]))


def _instead(folder: Path) -> str:
    """What to give instead of ``folder``."""
    if (folder / "config.yaml").is_file():
        return f"it holds a training; give the file in it: {folder / 'config.yaml'}"
    if any((folder / name).is_file() for name in ("sweep.db", "storage.json")):
        return "it holds a sweep; give the YAML file of the sweep (status, results and plan take the folder too)"
    return "give a YAML file"


def too_large(name: str) -> InputError:
    """A text of more than :data:`MOST_BYTES`."""
    rule = f"the file must have at most {MOST_BYTES // 1000} kB"
    return InputError(name, None, rule, "check the path: a configuration is a few lines of YAML")
