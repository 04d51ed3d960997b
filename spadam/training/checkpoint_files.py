"""The files of checkpoints: their names, their digests, and whether one is whole. Neither torch nor Lightning is used.

A checkpoint is `step-<n>.ckpt`, with its SHA-256 in `step-<n>.ckpt.sha256` beside it. It is *whole* when it is a file
whose content has that digest. Whatever else stands there, be it cut short, changed, unreadable or a folder, is damaged:
it is never opened for more than its bytes, and somebody who looks for a checkpoint passes over it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from pathlib import Path

FOLDER = "checkpoints"
"""Where they lie in a run's folder."""

_NAME = re.compile(r"step-(\d+)\.ckpt")


def name_of(step: int) -> str:
    """What the checkpoint after so many steps is called; names sort as steps do."""
    return f"step-{step:09d}.ckpt"


def step_of(path: Path) -> int:
    """The number of steps that a checkpoint's run had made."""
    match = _NAME.fullmatch(path.name)
    assert match is not None
    return int(match[1])


def digest_path(path: Path) -> Path:
    """Where the digest of the checkpoint at ``path`` stands."""
    return path.with_name(path.name + ".sha256")


def saved(folder: Path) -> list[Path]:
    """All checkpoints in ``folder``, whole or not, the newest first."""
    return sorted((path for path in folder.glob("step-*.ckpt") if _NAME.fullmatch(path.name)), key=step_of)[::-1]


def damage(path: Path) -> str | None:
    """What is wrong with the checkpoint at ``path``; None when it is whole. All of it is read."""
    digest = digest_path(path)
    try:
        if not path.is_file():  # what is none may be a pipe, at which reading would wait
            return "it is no file that can be read"
        if not digest.is_file():
            return "its digest is missing"
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        return None if digest.read_bytes() == found.encode() else "its content does not match its digest"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


def latest(folder: Path) -> Path | None:
    """The newest checkpoint in ``folder`` that is whole; None when there is none."""
    return next((path for path in saved(folder) if damage(path) is None), None)


def forget_cached(path: Path) -> None:
    """Have the next reader of ``path``, which is on the disk, see what the disk holds, where the system can do that."""
    with contextlib.suppress(OSError, AttributeError), path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def remove(path: Path) -> None:
    """Delete a checkpoint with its digest, whatever stands in their places."""
    for each in (path, digest_path(path)):  # without its digest a checkpoint would look damaged
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink(missing_ok=True)


def remove_all(folder: Path) -> None:
    """Delete the checkpoints in ``folder``, whole and unfinished ones, and the folder when nothing else is in it."""
    for path in saved(folder):
        remove(path)
    for path in (*folder.glob(".step-*.ckpt.*"), *folder.glob("step-*.ckpt.sha256")):  # what a kill has left
        remove(path)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
