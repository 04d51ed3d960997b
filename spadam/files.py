"""Files as everything here writes them: whole or not at all, strict JSON, and one process at a time in a folder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import socket
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from numbers import Integral, Real
from pathlib import Path
from typing import NamedTuple

from spadam.spec import InputError

CACHE = "XDG_CACHE_HOME"
"""The variable that says where caches lie. Compiled loops go by it, and so does W&B's process with its log."""

LOCK = ".lock"


class Holder(NamedTuple):
    """Who is at work in a folder."""

    host: str
    pid: int
    since: str
    """ISO 8601, UTC."""

    @property
    def described(self) -> str:
        """As a person finds them."""
        return f"process {self.pid} on {self.host}, since {self.since}"


class FolderTaken(InputError):
    """Another process is at work in a folder: ``by``, where that is known."""

    def __init__(self, folder: Path, by: Holder | None) -> None:
        self.by = by
        who = "unknown" if by is None else str(by.pid) + ("" if by.host == _host() else f" on {by.host}")
        rule = f"another process is at work in it (process {who})"
        super().__init__("--out", str(folder), rule, "wait until it is done, or stop it")


class Hold:
    """A folder that this process has for itself."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def beat(self) -> None:
        """Leave a sign of life: :func:`last_sign` tells it, once this process is gone."""
        with contextlib.suppress(OSError):
            os.utime(self._descriptor)


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[Hold]:
    """Make ``folder`` and be the only one at work in it until the end of the block.

    The lock is the kernel's, on the file `.lock`: it goes when its process goes, however that ends. Raises
    :class:`FolderTaken` when another process has it, and :class:`InputError` when the folder cannot be written.
    """
    check_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise _unwritable(folder, error) from None
    with file:
        if not _lock(file.fileno()):
            file.seek(0)
            raise FolderTaken(folder, _read_holder(file.read()))
        try:
            file.truncate(0)
            since = datetime.now(UTC).isoformat(timespec="seconds")
            file.write(strict_json(Holder(_host(), os.getpid(), since)._asdict()))
            file.flush()
        except OSError as error:
            raise _unwritable(folder, error) from None
        try:
            yield Hold(file.fileno())
        finally:
            with contextlib.suppress(OSError):
                file.truncate(0)


def holder(folder: Path) -> Holder | None:
    """Who is at work in ``folder``; None when nobody is. Nothing is made or changed."""
    try:
        with (folder / LOCK).open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _read_holder(file.read()) or Holder("unknown", 0, "")
    except OSError:  # there is none, or the disk has no locks
        return None
    return None


def last_sign(folder: Path) -> datetime | None:
    """When whoever was last at work in ``folder`` was last heard of; None where nobody ever was."""
    try:
        return datetime.fromtimestamp((folder / LOCK).stat().st_mtime, UTC)
    except OSError:
        return None


def check_folder(folder: Path) -> None:
    """Raise :class:`InputError` when ``folder`` has a name under which nothing could be written."""
    try:
        length = len(str(folder.absolute()).encode())
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.stat(folder)
    except UnicodeEncodeError:
        shown, rule = os.fsencode(folder).decode("utf-8", "backslashreplace"), "the folder's name must be UTF-8"
        raise InputError("--out", shown, rule, "choose another folder") from None
    except ValueError as error:
        raise InputError("--out", str(folder), f"it must be a path ({error})", "choose another folder") from None
    except OSError as error:
        raise _unwritable(folder, error) from None
    if length > _LONGEST_PATH:
        rule = f"its whole path must leave room for names below it: at most {_LONGEST_PATH} bytes, and it has {length}"
        raise InputError("--out", str(folder), rule, "choose another folder")


_LONGEST_PATH = 3500
"""Linux takes 4095; below a folder come variant, slot, attempt, and what a run writes."""

_TRIES, _BETWEEN_SECONDS = 5, 0.05


def _lock(descriptor: int) -> bool:
    """Take the lock; who only looks whether it is taken (:func:`holder`) has it for a moment, too."""
    for tried in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_BETWEEN_SECONDS if tried < _TRIES - 1 else 0)
        else:
            return True
    return False


def _host() -> str:
    return socket.gethostname()


def _read_holder(text: str) -> Holder | None:
    try:
        return Holder(**json.loads(text))
    except (ValueError, TypeError):
        return None


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(
        "--out", str(folder), f"the output folder must be writable ({error.strerror})", "choose another folder"
    )


def users_cache() -> Path:
    """The user's cache folder, be it there or not."""
    return Path(os.environ.get(CACHE) or os.path.expanduser("~/.cache"))


def can_write(folder: Path) -> bool:
    """Whether a file can be made in ``folder``, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


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
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise at(path, error) from None
        raise
    sync(path.parent)


def at(path: Path, error: OSError) -> OSError:
    """``error`` as one about ``path``: what the system says of a write names no file, or one that is gone by now."""
    named = OSError(error.errno, error.strerror or str(error), str(path))
    return named.with_traceback(error.__traceback__)


def strict_json(value: object, indent: int | None = None) -> str:
    """``value`` as JSON that every reader takes: a number that is not finite is null, and mappings keep their order.

    NumPy numbers are numbers. Raises TypeError for what is neither a plain value nor a mapping or sequence of them.
    """
    try:
        return json.dumps(value, allow_nan=False, indent=indent)  # most values are plain and finite
    except (TypeError, ValueError):
        return json.dumps(_plain(value), allow_nan=False, indent=indent)


def sync(path: Path) -> None:
    """Put a file's content, or a folder's names, on the disk: a file is there only when its name is, too."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise at(path, error) from None
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
