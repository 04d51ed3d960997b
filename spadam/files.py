"""Files as everything here writes them: whole or not at all, strict JSON, and one process at a time in a folder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import uuid
from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from pathlib import Path

from spadam.spec import InputError

LOCK = ".lock"


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Make ``folder`` and be the only one at work in it until the end of the block.

    The lock is the kernel's, on the file `.lock`: it goes when its process goes, however that ends. Raises
    :class:`InputError` when another process has it, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a+")
    except OSError as error:
        rule = f"the output folder must be writable ({error.strerror})"
        raise InputError("--out", str(folder), rule, "choose another folder") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            rule = f"another process is at work in it (process {file.read().strip() or 'unknown'})"
            raise InputError("--out", str(folder), rule, "wait until it is done, or stop it") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def write_atomic(path: Path, content: str | bytes) -> None:
    """Put ``content`` (text as UTF-8) at ``path``, whole: a kill or a power cut leaves the old file or the new one.

    Raises OSError when the folder cannot be written; the old file then stands untouched.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """An empty file beside ``path`` to be written to; at the end it takes the place of ``path``, as above.

    What an error leaves there is removed. For content that is too large to be made in memory first.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    try:
        temporary.touch(exist_ok=False)
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # there are writers that make a file of their own there, for its owner alone
        sync(temporary)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def strict_json(value: object, indent: int | None = None) -> str:
    """``value`` as JSON that every reader takes: a number that is not finite is null, and mappings keep their order.

    NumPy numbers are numbers. Raises TypeError for what is neither a plain value nor a mapping or sequence of them.
    """
    return json.dumps(_plain(value), allow_nan=False, indent=indent)


def sync(path: Path) -> None:
    """Put a file's content, or a folder's names, on the disk: a file is there only when its name is, too."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _plain(value: object) -> object:
    match value:
        case None | bool() | str():
            return value
        case Integral():
            return int(value)
        case Real():
            return float(value) if math.isfinite(value) else None
        case Mapping():
            return {key: _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case _:
            raise TypeError(f"{type(value).__name__} is not a plain value; convert it before it is recorded")
