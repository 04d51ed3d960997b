"""Checkpoints on their way: home from a node while it trains, and out again to the node that goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from spadam.files import sync
from spadam.sweep.running.cluster.parcel import Parcel, beside, extract, pack

CHECKPOINTS = "checkpoints"

_BESIDE = ("metrics.jsonl", "config.yaml")
"""What a training needs beside its checkpoint to go on from it."""


class Homing:
    """Says when a checkpoint of the training in ``out`` should be sent home: one that is new, every ``seconds``."""

    def __init__(self, out: Path, seconds: float) -> None:
        self._out, self._seconds = out, seconds
        self._due = time.monotonic() + seconds
        self._sent: Path | None = None

    def next(self) -> Parcel | None:
        """What is to be sent now; None when nothing is."""
        if time.monotonic() < self._due:
            return None
        newest = max(_named(self._out), default=None)
        if newest is None or newest == self._sent:
            return None
        parcel = pack_newest(self._out)
        if parcel is not None:
            self._sent, self._due = newest, time.monotonic() + self._seconds
        return parcel


def pack_newest(folder: Path) -> Parcel | None:
    """The newest whole checkpoint of the training in ``folder``, with what goes with it; None when there is none."""
    from spadam.training import checkpoint  # here, because Lightning takes seconds to import

    found = checkpoint.latest(folder / CHECKPOINTS)
    if found is None:
        return None
    try:
        return pack(folder, {*_BESIDE, f"{CHECKPOINTS}/{found.name}", f"{CHECKPOINTS}/{found.name}.sha256"})
    except FileNotFoundError:  # the training has just replaced it by a newer one
        return None


def pack_inheritance(folders: Iterable[Path]) -> Parcel | None:
    """The newest checkpoint that attempts in ``folders`` have left; None when they have none."""
    with_checkpoints = {max(_named(folder)).name: folder for folder in folders if any(_named(folder))}
    for name in sorted(with_checkpoints, reverse=True):
        if (parcel := pack_newest(with_checkpoints[name])) is not None:
            return parcel
    return None


def put_home(parcel: Parcel, out: Path) -> None:
    """Put a checkpoint that came home into ``out``, where an older one may lie.

    A kill at any moment leaves one that can be gone on from: the rows come first, for a training that goes on drops
    those behind its checkpoint; the checkpoint's digest comes last, for without it the one before counts. Raises
    OSError when it cannot be written.
    """
    (out / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
    before = set((out / CHECKPOINTS).iterdir())
    with beside(out) as temporary:
        extract(parcel, temporary)
        names = sorted(path.name for path in (temporary / CHECKPOINTS).iterdir())  # the digest's is the longer one
        for name in (*_BESIDE, *(f"{CHECKPOINTS}/{name}" for name in names)):
            if (temporary / name).exists():
                os.replace(temporary / name, out / name)
    for folder in (out / CHECKPOINTS, out):
        sync(folder)
    for old in before - {out / CHECKPOINTS / name for name in names}:
        old.unlink(missing_ok=True)


def forget(folders: Iterable[Path]) -> None:
    """Delete the checkpoints in ``folders``: nothing goes on from them any more."""
    for folder in folders:
        if any(_named(folder)):
            from spadam.training import checkpoint  # here, because Lightning takes seconds to import

            checkpoint.remove_all(folder / CHECKPOINTS)


def _named(folder: Path) -> list[Path]:
    return list((folder / CHECKPOINTS).glob("step-*.ckpt"))
