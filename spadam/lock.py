"""One process at a time in a folder: a training in its own, an agent in that of its sweep."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
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
