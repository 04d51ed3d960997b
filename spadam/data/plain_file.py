"""What every file with data must be, found out without reading it: a plain file that is not empty and may be read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from spadam.spec import InputError, nearest_path

_BEGINNINGS = {
    b"\x93NUMPY": "a .npy file",
    b"PK\x03\x04": "a zip archive, as np.savez and torch.save write",
    b"\x1f\x8b": "a gzip archive",
    b"\x89HDF": "an HDF5 file",
    b"\x80": "a pickle",
    b"PAR1": "a Parquet file",
    b"version https://git-lfs": "a pointer of Git LFS, and the data lies elsewhere",
    b"<": "a page (HTML or XML)",
}
_LONGEST = 64


def check_file(
    path: Path,
    argument: str,
    value: object,
    again: str = "save it again",
    absent: str = "check data.root and the name",
) -> None:
    """Raise :class:`InputError` about ``argument`` unless ``path`` is a file that can be read; nothing is waited for.

    ``again`` is what to do about a file without content, ``absent`` about one that is not there.
    """
    name = "it" if argument == str(path) else str(path)
    if (why := _why_not(path, name, again, absent)) is not None:
        raise InputError(argument, value, *why)


def _why_not(path: Path, name: str, again: str, absent: str) -> tuple[str, str] | None:
    """Rule and remedy where ``path``, told as ``name``, cannot be read."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
            return f"{name} must be a file, and is {kind}", "give the file"
        with path.open("rb") as file:
            return None if file.read(1) else (f"{name} must hold something, and is empty", again)
    except FileNotFoundError:
        near = nearest_path(path)
        return f"there is no file {path}", f"did you mean {near.name}?" if near else absent
    except PermissionError:
        return f"{name} must be readable for this user", "change its permissions, or those of its folders"
    except (OSError, ValueError) as error:  # a name that cannot be, a disk that fails
        return f"{name} must be readable ({getattr(error, 'strerror', None) or error})", "check the path and the disk"


def kind_of(path: Path) -> str | None:
    """What the file at ``path`` is by its first bytes; None when they say nothing."""
    descriptor = os.open(path, os.O_RDONLY)
    with open(descriptor, "rb") as file:
        first = file.read(_LONGEST)
    if first[8:9] == b"{":
        return "a .safetensors file"
    return next((kind for beginning, kind in _BEGINNINGS.items() if first.startswith(beginning)), None)
