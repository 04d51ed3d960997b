"""A checkpoint on the disk: whole or not there, checked, and written without being put together in memory."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from spadam.training import checkpoint, checkpoint_files
from spadam.training.checkpoint import AtomicCheckpointIO


def save(folder: Path, step: int, **values: Any) -> Path:
    path = folder / f"step-{step:09d}.ckpt"
    AtomicCheckpointIO().save_checkpoint({"step": step, **values}, path)
    return path


def test_what_is_saved_is_loaded_and_its_digest_is_that_of_the_file(tmp_path: Path) -> None:
    weight = torch.randn(300, 7, generator=torch.Generator().manual_seed(0))
    path = save(tmp_path, 3, weight=weight, again=weight[2:], nothing=torch.empty(0, 4))
    loaded = AtomicCheckpointIO().load_checkpoint(path)
    assert torch.equal(loaded["weight"], weight)
    assert torch.equal(loaded["again"], weight[2:])
    assert loaded["nothing"].shape == (0, 4)
    assert (tmp_path / f"{path.name}.sha256").read_text() == hashlib.sha256(path.read_bytes()).hexdigest()
    assert checkpoint_files.latest(tmp_path) == path
    assert len(list(tmp_path.iterdir())) == 2, "no temporary file is left"


def test_the_newest_whole_one_counts(tmp_path: Path) -> None:
    old, new = save(tmp_path, 3), save(tmp_path, 12)
    assert checkpoint_files.latest(tmp_path) == new
    new.write_bytes(new.read_bytes()[:-1] + b"?")
    assert checkpoint_files.latest(tmp_path) == old
    (tmp_path / f"{old.name}.sha256").unlink()
    assert checkpoint_files.latest(tmp_path) is None


def test_a_digest_is_there_before_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[str] = []
    replace = Path.replace

    def seen(self: Path, target: Path) -> Path:
        named.append(target.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", seen)
    path = save(tmp_path, 1)
    assert named == [f"{path.name}.sha256", path.name]


def test_a_failure_leaves_the_old_one_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, 1, value=1)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            save(tmp_path, 1, value=2)
    assert AtomicCheckpointIO().load_checkpoint(path)["value"] == 1
    assert checkpoint_files.latest(tmp_path) == path
    assert len(list(tmp_path.iterdir())) == 2


def test_no_tensor_is_copied_to_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pieces that are written are views of the tensors' own memory, of any size."""
    weight = torch.ones(1000, 1000)
    pieces: list[int] = []
    write = checkpoint._Hashed.write

    def seen(self: Any, data: Any) -> int:
        if len(data) == weight.nbytes:
            assert isinstance(data, memoryview)
            pieces.append(torch.frombuffer(data, dtype=torch.uint8).data_ptr())
        return write(self, data)

    monkeypatch.setattr(checkpoint._Hashed, "write", seen)
    with pytest.warns(UserWarning, match="not writable"):  # of the view that this test makes
        save(tmp_path, 1, weight=weight)
    assert pieces == [weight.data_ptr()]


def test_removing_all_takes_what_a_kill_left_too(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    save(folder, 1)
    (folder / ".step-000000002.ckpt.0123456789ab").write_bytes(b"half")
    (folder / ".step-000000002.ckpt.sha256.0123456789ab").write_bytes(b"")
    checkpoint_files.remove_all(folder)
    assert not folder.exists()
    folder.mkdir()
    (folder / "mine").touch()
    checkpoint_files.remove_all(folder)
    assert folder.exists(), "another's file is kept"
