"""The weights of a run's folder: written, and read back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from spadam.data.plain_file import check_file, kind_of
from spadam.files import replacing
from spadam.spec import InputError

FILE = "model.safetensors"


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The tensors in ``folder``/model.safetensors. Raises :class:`InputError` when it does not hold any."""
    path = folder / FILE
    remedy = "give the folder of a training that has ended"
    check_file(path, "folder", str(folder), remedy, remedy)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        kind = kind_of(path)
        found = f"is {kind}" if kind not in (None, "a .safetensors file") else f"is not ({error})"
        rule = f"{path} must be a whole .safetensors file, and {found}"
        raise InputError("folder", str(folder), rule, "copy it again, or train again") from None


def last_size(tensors: dict[str, Tensor], name: str) -> int:
    """How long the rows of a tensor are; 1 where there is none, which is then told of as a size that does not fit."""
    shape = tensors[name].shape if name in tensors else ()
    return shape[-1] if shape else 1


def load_weights(model: nn.Module, tensors: dict[str, Tensor], folder: Path) -> None:
    """Give ``model`` the ``tensors`` of ``folder``. Raises :class:`InputError` when they are those of another."""
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    for name in dict.fromkeys((*expected, *found)):
        if expected.get(name) != found.get(name):
            sizes = [str(shapes.get(name, "none")) for shapes in (expected, found)]
            rule = f"by its config.yaml {name} has the size {sizes[0]}, and in {FILE} {sizes[1]}"
            raise InputError("folder", str(folder), rule, "put the two files of one training there")
    model.load_state_dict(tensors)


def save_weights(model: nn.Module, out: Path, notes: Mapping[str, str] | None = None) -> None:
    """Write the weights of ``model`` to ``out``/model.safetensors, whole or not at all, with ``notes`` as metadata.

    Raises OSError when they cannot be written.
    """
    tensors = {name: value.contiguous().cpu() for name, value in model.state_dict().items()}
    with replacing(out / FILE) as temporary:
        try:
            save_file(tensors, temporary, metadata=dict(notes) if notes else None)
        except SafetensorError as error:  # what it makes of an OSError
            raise OSError(f"{out / FILE}: {error}") from error
