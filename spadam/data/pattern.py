"""Which files a name or a pattern means: one file, or *shards*, files that hold one set's samples one after another.

A pattern is a name with ``*``, ``?``, ``[…]`` or ``**`` (folders of any depth) in it, unless a file has that very name.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from spadam.data.plain_file import check_file
from spadam.spec import InputError, at_home

_OTHERS_SHOWN = 3


def find(folder: Path, file: str, argument: str) -> tuple[Path, ...]:
    """The files that ``file`` names below ``folder`` (or anywhere, if it is an absolute path), in natural order.

    Raises :class:`InputError` about ``argument`` when there are none, or one of them cannot be read.
    """
    path = at_home(file, argument)
    if not is_pattern(file) or os.path.lexists(folder / path):
        paths = [folder / path]
    elif path.is_absolute():
        paths = _match(path.anchor, str(path.relative_to(path.anchor)))
    else:
        paths = _match(folder, str(path))
    if not paths:
        raise InputError(argument, file, f"no file matches {folder / path}", _remedy(folder / path))
    for each in paths:
        check_file(each, argument, file)
    return tuple(paths)


def is_pattern(file: str) -> bool:
    """Whether ``file`` may be a pattern, by its characters."""
    return glob.has_magic(file)


def natural(path: Path) -> list[tuple[int, str]]:
    """What to sort by, so that ``acts-2`` comes before ``acts-10``: numbers as numbers, between texts."""
    pieces = re.split(r"([0-9]+)", str(path))
    return [(int(piece) if place % 2 else 0, piece) for place, piece in enumerate(pieces)]


def names(paths: Sequence[Path]) -> tuple[str, ...]:
    """What messages call ``paths``: short, and each another."""
    together = os.path.commonpath([path.parent for path in paths])
    return tuple(os.path.relpath(path, together) for path in paths)


def check_apart(found: Mapping[str, Sequence[Path]], given: Mapping[str, str | None]) -> None:
    """Refuse a file that holds samples of two of the arguments in ``found``; ``given`` is what each says."""
    holders: dict[Path, str] = {}
    for argument, paths in found.items():
        for path in paths:
            if (holder := holders.setdefault(path.resolve(), argument)) != argument:
                rule = f"{path.name} holds samples of {holder} too, so that training would see them"
                raise InputError(argument, given[argument], rule, f"narrow {holder}, or move the file")


def _match(folder: Path | str, pattern: str) -> list[Path]:
    """All but folders, which `**` matches too, unless there is nothing else."""
    try:
        found = [Path(folder, name) for name in glob.glob(pattern, root_dir=folder, recursive=True)]
    except ValueError:  # a name that cannot be
        return []
    return sorted([path for path in found if not path.is_dir()] or found, key=natural)


def _remedy(path: Path) -> str:
    """What may help where nothing matches ``path``."""
    if "[" in path.name and not any(sign in path.name for sign in "*?"):
        return "check data.root and the name; [ and ] name alternatives, and a [ of a name is written [[]"
    try:
        beside = sorted((Path(name) for name in os.listdir(path.parent) if name.endswith(path.suffix)), key=natural)
    except (OSError, ValueError):
        return "check data.root and the folders of the pattern"
    if not beside:
        return f"check data.root and the pattern: no {path.suffix} file is there"
    shown = ", ".join(map(str, beside[:_OTHERS_SHOWN])) + (", …" if len(beside) > _OTHERS_SHOWN else "")
    return f"check the pattern; there are {shown}"
