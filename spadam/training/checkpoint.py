"""Checkpoints that are either whole or not there.

A checkpoint is written to a temporary file in its own folder, flushed to the disk, and renamed; its SHA-256 stands in a
file beside it. Then it is read again, and only when its digest is found right does the oldest of three go: the last two
stay, so that a kill at any moment, and one file that the disk has spoilt, leave one that can be read. It is not put
together in memory first: beside weights and moments there need be no room for a copy of them.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io.checkpoint_io import CheckpointIO
from typing_extensions import override

from spadam.faults import reach
from spadam.files import replacing, write_atomic
from spadam.training import checkpoint_files
from spadam.training.checkpoint_files import digest_path
from spadam.training.ledger import Mark
from spadam.training.old_checkpoints import modernise

log = logging.getLogger(__name__)

KEPT = 2
"""So many checkpoints a run has beside the one that it writes."""


class AtomicCheckpointIO(CheckpointIO):
    """Lightning's way to the disk: atomic, checked, and never unpickling anything but tensors and plain values.

    ``loaded`` is what the first checkpoint that is asked for holds, when somebody has read it already.
    """

    def __init__(self, loaded: dict[str, Any] | None = None) -> None:
        self._loaded = loaded

    @override
    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        with replacing(Path(path)) as temporary:
            with temporary.open("wb") as file:
                hashed = _Hashed(file)
                try:
                    torch.save(checkpoint, hashed)  # type: ignore[arg-type] # all it asks of a file is to write
                except RuntimeError:
                    if hashed.refused is not None:  # torch tells only that its archive is not whole
                        raise hashed.refused from None
                    raise
            write_atomic(digest_path(Path(path)), hashed.digest.hexdigest())

    @override
    def load_checkpoint(
        self, path: str | Path, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        if self._loaded is not None:
            loaded, self._loaded = self._loaded, None  # it is as large as all that is trained: it must not stay
            return loaded
        checkpoint: dict[str, Any] = torch.load(path, map_location=map_location or "cpu", weights_only=True)
        return modernise(checkpoint)

    @override
    def remove_checkpoint(self, path: str | Path) -> None:
        checkpoint_files.remove(Path(path))


class _Hashed:
    """A file that is written from its beginning to its end, and the SHA-256 of what it holds then."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.refused: OSError | None = None
        """Why nothing more could be written."""

    def write(self, data: bytes | memoryview) -> int:
        self.digest.update(data)
        reach("worker: mid-checkpoint")
        try:
            return self._file.write(data)
        except OSError as error:
            self.refused = error
            raise

    def flush(self) -> None:
        self._file.flush()


class LatestCheckpoint(pl.Callback):
    """Saves into ``folder`` at the end of every epoch, or every so many steps, and keeps the last :data:`KEPT`.

    A step that ends an epoch is saved after the epoch's own end, so that a resumed run never stands between the two.
    Without a folder nothing is saved, but optimizers are asked for their state all the same: one that puts work off
    does it then, and the bits of a run must not depend on whether it has a folder.

    ``mark`` puts the ledger on the disk and says how far it is: that is part of the checkpoint, and so is ``history``,
    the resumptions so far. ``begun_from`` is the checkpoint that the run goes on from.
    """

    def __init__(
        self,
        folder: Path | None,
        every: str | int,
        mark: Callable[[], Mark] | None = None,
        history: Sequence[dict[str, Any]] = (),
        begun_from: Path | None = None,
    ) -> None:
        self.folder, self.every = folder, every
        self._mark, self._history = mark, history
        self._kept: list[Path] = []
        if folder is not None and begun_from is not None:
            known = [path for path in checkpoint_files.saved(folder) if path.name <= begun_from.name]
            self._kept = known[:KEPT][::-1]

    @override
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        due = isinstance(self.every, int) and trainer.global_step % self.every == 0
        if due and not trainer.is_last_batch and not trainer.should_stop:
            self._save(trainer)

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.every == "epoch" or trainer.global_step % int(self.every) == 0:
            self._save(trainer)

    @override
    def state_dict(self) -> dict[str, Any]:
        mark = None if self._mark is None else list(self._mark())
        return {"ledger": mark, "resumed": list(self._history)}

    def _save(self, trainer: pl.Trainer) -> None:
        if self.folder is None:
            for optimizer in trainer.optimizers:
                optimizer.state_dict()
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self.folder / checkpoint_files.name_of(trainer.global_step)
        if new not in self._kept:
            checkpoint_files.remove(new)  # what was passed over: a folder would be in the way
        trainer.save_checkpoint(new)
        reach("worker: checkpoint published")
        self._prove(new)

    def _prove(self, new: Path) -> None:
        """Read ``new`` again, and delete all but it and the one before when it is whole.

        What the system would give from memory proves nothing, so it is asked to forget it first. Of 308 MB (16384
        latents, Adam) that took 0.25-0.37 s beside the 1.5 s of writing them: who finds it too much saves less often.
        """
        assert self.folder is not None
        checkpoint_files.forget_cached(new)
        if (said := checkpoint_files.damage(new)) is not None:
            log.warning("%s is damaged as soon as it was written (%s); those before it are kept", new, said)
            return
        self._kept = [*(path for path in self._kept if path != new), new][-KEPT:]
        for path in checkpoint_files.saved(self.folder):
            if path not in self._kept:
                checkpoint_files.remove(path)
