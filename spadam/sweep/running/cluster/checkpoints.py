"""Checkpoints on their way: home from a node while it trains, and out again to the node that goes on."""

from __future__ import annotations

import os
import time
from pathlib import Path

from spadam.files import sync
from spadam.sweep.running.cluster.parcel import Parcel, beside, extract, pack
from spadam.training.checkpoint_files import FOLDER, digest_path, latest, saved
from spadam.training.inheritance import CONFIG, LEDGER, RESULT


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
        newest = next(iter(saved(self._out / FOLDER)), None)
        if newest is None or newest == self._sent:
            return None
        parcel = pack_newest(self._out)
        if parcel is not None:
            self._sent, self._due = newest, time.monotonic() + self._seconds
        return parcel


def pack_newest(folder: Path) -> Parcel | None:
    """The newest whole checkpoint of the training in ``folder``, with what goes with it; None when there is none."""
    found = latest(folder / FOLDER)
    if found is None:
        return None
    try:
        return pack(folder, {LEDGER, CONFIG, f"{FOLDER}/{found.name}", f"{FOLDER}/{digest_path(found).name}"})
    except FileNotFoundError:  # the training has just replaced it by a newer one
        return None


def pack_legacy(folder: Path) -> Parcel | None:
    """What a training in ``folder`` goes on from: the newest checkpoint there, or all where it is done; else None."""
    return pack(folder) if (folder / RESULT).exists() else pack_newest(folder)


def put_home(parcel: Parcel, out: Path) -> None:
    """Put a checkpoint that came home into ``out``, where an older one may lie.

    A kill at any moment leaves one that can be gone on from: the rows come first, for a training that goes on drops
    those behind its checkpoint; the checkpoint's digest comes last, for without it the one before counts. Raises
    OSError when it cannot be written.
    """
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    with beside(out) as temporary:
        extract(parcel, temporary)
        names = sorted(path.name for path in (temporary / FOLDER).iterdir())  # the digest's is the longer one
        for name in (LEDGER, CONFIG, *(f"{FOLDER}/{name}" for name in names)):
            if (temporary / name).exists():
                os.replace(temporary / name, out / name)
    for folder in (out / FOLDER, out):
        sync(folder)
    for old in saved(out / FOLDER)[2:]:  # the one before stays, in case that this one is damaged here
        old.unlink(missing_ok=True)
        digest_path(old).unlink(missing_ok=True)
