"""Fetching a set through torchvision: whole or not at all, and never for long without an answer."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

_PATIENCE = 5.0
"""Seconds that a connection may stay silent. torchvision sets no limit: a mirror that accepts and says nothing would
hold a run for ever."""


def fetch(root: Path, collection: str) -> None:
    """Download torchvision's ``collection`` ("MNIST", "FashionMNIST") into ``root/<collection>/raw``.

    The files arrive in a folder beside their place and are moved when all of them are there and have the right
    checksum. Raises OSError, its text one line with the reason, when that fails; ``root`` is then as it was.
    """
    import torchvision.datasets  # here, because its import takes 2 s and most runs find their files

    with _made(root):
        try:
            with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as staging, _patience(_PATIENCE):
                getattr(torchvision.datasets, collection)(staging, download=True)
                target = root / collection / "raw"
                target.mkdir(parents=True, exist_ok=True)
                for file in sorted((Path(staging) / collection / "raw").iterdir()):
                    os.replace(file, target / file.name)
        except (
            OSError,
            RuntimeError,
            HTTPException,
        ) as error:  # what torchvision lets through, and what it makes of it
            lines = str(error).split("\n")
            raise OSError([line for line in lines if line][-1] if any(lines) else type(error).__name__) from error


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make ``folder``; what had to be made is taken away again when the work in it fails."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):  # somebody else may have put something there meanwhile
            for path in new:
                path.rmdir()
        raise


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Limit the silence of connections opened meanwhile. It is the whole process's limit: there is no narrower one."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
