"""A trained autoencoder, written into a folder that another library reads."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from spadam.files import check_folder, replacing, write_atomic
from spadam.formats import Format
from spadam.formats.trained import find_run, read_trained
from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.spec import check_autoencoder
from spadam.spec import InputError

Contents = Mapping[str, Mapping[str, Tensor] | str]
"""What files hold, by their names: tensors, or text."""


def export(folder: Path, to: Format, out: Path | None = None) -> Path:
    """Write the autoencoder that was trained in ``folder`` for another library; the folder that it lies in.

    ``out`` is that folder, by default one of the format's name within the training's. Files that are there already and
    hold the same are left as they are. Raises :class:`InputError`, and writes nothing, when there is no finished
    training, the library has no such autoencoder, or another one lies there; OSError when the disk refuses.
    """
    run = find_run(folder)
    out = run / to.value if out is None else out
    trained = read_trained(run)
    check_autoencoder(trained.model, str(run))
    autoencoder = SparseAutoencoder.load(run)
    if not all(bool(value.isfinite().all()) for value in autoencoder.parameters()):
        rule = f"its weights must be finite numbers, and are not: the training is {trained.status}"
        raise InputError("folder", str(run), rule, "train again with a lower optimizer.lr")
    put(importlib.import_module(f"{__package__}.{to.value}").contents(autoencoder, trained), out)
    return out


def put(contents: Contents, out: Path) -> None:
    """Write what is missing of the files ``contents`` into the folder ``out``, each whole or not at all.

    Raises :class:`InputError` and writes nothing when one of these names holds something else.
    """
    check_folder(out)
    missing = [name for name, content in contents.items() if not _is_there(out / name, content)]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        rule = f"it must be a folder that can be written ({error.strerror})"
        raise InputError("--out", str(out), rule, "choose another folder") from None
    for name in missing:
        _write(out / name, contents[name])


def _is_there(path: Path, content: Mapping[str, Tensor] | str) -> bool:
    """Whether ``path`` holds ``content`` already. Raises :class:`InputError` when it holds anything else."""
    if not path.exists():
        return False
    try:
        same = path.read_text(encoding="utf-8") == content if isinstance(content, str) else _holds(path, content)
    except (OSError, ValueError, SafetensorError):
        same = False
    if not same:
        rule = f"it holds another {path.name}, which is not overwritten"
        raise InputError("--out", str(path.parent), rule, "choose another folder, or remove that file")
    return True


def _holds(path: Path, tensors: Mapping[str, Tensor]) -> bool:
    found = safetensors.torch.load_file(path)
    return found.keys() == tensors.keys() and all(torch.equal(found[name], tensors[name]) for name in tensors)


def _write(path: Path, content: Mapping[str, Tensor] | str) -> None:
    if isinstance(content, str):
        write_atomic(path, content)
        return
    with replacing(path) as temporary:
        try:
            safetensors.torch.save_file(dict(content), temporary)
        except SafetensorError as error:  # what it makes of an OSError
            raise OSError(f"{path}: {error}") from error
