"""Checkpoints that are either whole or not there.

A checkpoint is written to a temporary file in its own folder, flushed to the disk, and renamed; its SHA-256 stands in a
file beside it. The one before is deleted only after that, so a kill at any moment leaves one that can be read. It is$
not put together in memory first: beside weights and moments there need be no room for a copy of them.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any, BinaryIO

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io.checkpoint_io import CheckpointIO
from typing_extensions import override

from spadam.faults import reach
from spadam.files import replacing, write_atomic
from spadam.training.old_checkpoints import modernise

_NAME = re.compile(r"step-(\d+)\.ckpt")


class AtomicCheckpointIO(CheckpointIO):
    """Lightning's way to the disk: atomic, checked, and never unpickling anything but tensors and plain values."""

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
            write_atomic(_digest_path(Path(path)), hashed.digest.hexdigest())

    @override
    def load_checkpoint(
        self, path: str | Path, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        checkpoint: dict[str, Any] = torch.load(path, map_location=map_location or "cpu", weights_only=True)
        return modernise(checkpoint)

    @override
    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)
        _digest_path(Path(path)).unlink(missing_ok=True)


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
    """Saves into ``folder`` at the end of every epoch, or every so many steps, and keeps only the latest.

    A step that ends an epoch is saved after the epoch's own end, so that a resumed run never stands between the two.
    Without a folder nothing is saved, but optimizers are asked for their state all the same: one that puts work off
    does it then, and the bits of a run must not depend on whether it has a folder.
    """

    def __init__(self, folder: Path | None, every: str | int) -> None:
        self.folder = folder
        self.every = every

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

    def _save(self, trainer: pl.Trainer) -> None:
        if self.folder is None:
            for optimizer in trainer.optimizers:
                optimizer.state_dict()
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self.folder / f"step-{trainer.global_step:09d}.ckpt"
        trainer.save_checkpoint(new)
        reach("worker: checkpoint published")
        for path in _saved(self.folder):
            if path != new:
                trainer.strategy.remove_checkpoint(path)


def latest(folder: Path) -> Path | None:
    """The newest checkpoint in ``folder`` whose content is whole; None when there is none."""
    return next((path for path in reversed(_saved(folder)) if _is_whole(path)), None)


def step_of(path: Path) -> int:
    """The number of steps that a checkpoint's run had made."""
    match = _NAME.fullmatch(path.name)
    assert match is not None
    return int(match[1])


def remove_all(folder: Path) -> None:
    """Delete the checkpoints in ``folder``, whole and unfinished ones, and the folder when nothing else is in it."""
    for path in _saved(folder):
        AtomicCheckpointIO().remove_checkpoint(path)
    for path in folder.glob(".step-*.ckpt.*"):
        path.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _saved(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*.ckpt") if _NAME.fullmatch(path.name))


def _digest_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _is_whole(path: Path) -> bool:
    digest = _digest_path(path)
    if not digest.exists():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == digest.read_text()
