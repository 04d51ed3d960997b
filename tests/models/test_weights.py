"""Folders that somebody names as those of a training."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from spadam.models.autoencoder import SparseAutoencoder
from spadam.spec import InputError

GOOD = {"encoder_weight": torch.zeros(4, 3), "encoder_bias": torch.zeros(4), "decoder_bias": torch.zeros(1, 3)}


def none(path: Path) -> None:
    """There is no file."""


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (none, "there is no file"),
        (Path.mkdir, "must be a file, and is a folder"),
        (Path.touch, "and is empty"),
        (lambda path: path.write_bytes(b"hello"), "must be a whole .safetensors file"),
        (lambda path: torch.save(GOOD, path), "is a zip archive"),
        (lambda path: save_file({"a": torch.zeros(2)}, path), "encoder_weight has the size"),
        (lambda path: save_file(GOOD | {"encoder_bias": torch.zeros(5)}, path), r"size \(4,\), and in .* \(5,\)"),
        (lambda path: save_file(GOOD | {"more": torch.zeros(5)}, path), r"more has the size none"),
    ],
)
def test_weights_that_are_none(make: Callable[[Path], object], rule: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("model: {latents: 4, rule: {name: top_k, k: 2}}\n")
    make(tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=rule) as caught:
        SparseAutoencoder.load(tmp_path)
    assert caught.value.argument == "folder"
    assert caught.value.value == str(tmp_path)


def test_weights_are_read(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("model: {latents: 4, rule: {name: top_k, k: 2}}\n")
    save_file(GOOD, tmp_path / "model.safetensors")
    assert SparseAutoencoder.load(str(tmp_path)).features == 3
