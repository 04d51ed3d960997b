"""Ways to spoil a file, and a pickle that leaves a mark when anybody executes it."""

from __future__ import annotations

import hashlib
import os
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Bomb:
    """Makes a file at ``mark`` when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.mark}'",)


def bomb(path: Path, mark: Path) -> None:
    away(path)
    path.write_bytes(pickle.dumps(Bomb(mark)))


def away(path: Path) -> None:
    """Take whatever is at ``path`` away."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def cut(path: Path, share: float = 0.5) -> None:
    os.truncate(path, int(path.stat().st_size * share))


def empty(path: Path) -> None:
    os.truncate(path, 0)


def flip(path: Path, seed: int = 0, bits: int = 1) -> None:
    """Turn over so many bits, drawn by ``seed``."""
    content, draw = bytearray(path.read_bytes()), random.Random(seed)
    for _ in range(bits):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def folder(path: Path) -> None:
    """A folder in its place, with something in it."""
    away(path)
    path.mkdir()
    (path / "inside").touch()


def unreadable(path: Path) -> None:
    """A link to itself: nobody can open it, not even root."""
    away(path)
    path.symlink_to(path.name)


def noise(path: Path, seed: int = 0) -> None:
    away(path)
    path.write_bytes(random.Random(seed).randbytes(5000))


def seal(checkpoint: Path) -> None:
    """Give a checkpoint the digest that its content has."""
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    checkpoint.with_name(checkpoint.name + ".sha256").write_text(digest)


WAYS: dict[str, Callable[[Path], None]] = {
    "cut": cut,
    "cut near its end": lambda path: os.truncate(path, path.stat().st_size - 1),
    "cut near its beginning": lambda path: os.truncate(path, 3),
    "empty": empty,
    "noise": noise,
    "a folder": folder,
    "unreadable": unreadable,
    **{f"bit {seed}": lambda path, seed=seed: flip(path, seed) for seed in range(4)},  # type: ignore[misc]
    "many bits": lambda path: flip(path, 9, 40),
}
