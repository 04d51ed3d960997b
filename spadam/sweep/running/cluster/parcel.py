"""A folder on its way between a node and the agent: a tar of plain files, and of nothing else."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tarfile
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from spadam.files import at, sync

Parcel = NDArray[np.uint8]
"""The bytes of a tar, as an array: Ray hands those on without copying them."""


class ForeignParcel(ValueError):
    """A parcel holds what :func:`pack` never puts into one."""


def pack(folder: Path, names: Iterable[str] | None = None) -> Parcel:
    """The files below ``folder``; only those in ``names``, as far as they are there, when it is given.

    Links are left out: W&B's offline folders hold some, with the paths of this machine. So are files whose names begin
    with a dot: locks, and what is being written. Raises OSError when one cannot be read.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(_files(folder)):
            name = path.relative_to(folder).as_posix()
            if names is not None and name not in names:
                continue
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                info = tarfile.TarInfo(name)
                info.size, info.mtime, info.mode = status.st_size, int(status.st_mtime), 0o644
                tar.addfile(info, file)
    return np.frombuffer(buffer.getbuffer(), np.uint8)


def unpack(parcel: Parcel, folder: Path) -> None:
    """Have the files of ``parcel`` be ``folder``, whole or not at all; what stood there before is gone.

    Raises :class:`ForeignParcel` when it holds anything but plain files below it, and OSError when it cannot be
    written.
    """
    with beside(folder) as temporary:
        extract(parcel, temporary)
        if folder.exists():
            with beside(folder) as old:
                folder.rename(old / folder.name)
                temporary.rename(folder)
        else:
            temporary.rename(folder)
        sync(folder.parent)


def extract(parcel: Parcel, folder: Path) -> None:
    """Write the files of ``parcel`` into ``folder``, an empty one, and onto the disk. Raises as :func:`unpack` does."""
    with tarfile.open(fileobj=io.BytesIO(parcel.data), mode="r:") as tar:
        for member in tar:
            _check(member, folder)
            path = folder / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            assert content is not None
            try:
                with path.open("xb") as file:
                    shutil.copyfileobj(content, file)
                sync(path)
            except FileExistsError:
                raise ForeignParcel(f"it holds {member.name!r} twice") from None
            except OSError as error:
                raise at(path, error) from None


@contextlib.contextmanager
def beside(folder: Path) -> Iterator[Path]:
    """An empty folder beside ``folder``, to be renamed or to be gone after the block."""
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}")
    temporary.mkdir(parents=True)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):  # it does not follow links to folders
        for name in names:
            path = Path(place, name)
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path


def _check(member: tarfile.TarInfo, folder: Path) -> None:
    """Refuse all but a plain file below ``folder``; the rules of the standard library are asked as well."""
    path = PurePosixPath(member.name)
    if not member.isreg():
        raise ForeignParcel(f"{member.name!r} is no plain file")
    if path.is_absolute() or not path.parts or {".", ".."} & set(member.name.split("/")):
        raise ForeignParcel(f"{member.name!r} lies outside the folder")
    if hasattr(tarfile, "data_filter"):  # from 3.11.4 on
        try:
            tarfile.data_filter(member, str(folder))
        except tarfile.FilterError as error:
            raise ForeignParcel(str(error)) from None
