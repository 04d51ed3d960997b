"""A user's own samples in one file, left there and mapped into memory.

Shapes: N samples, D features.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from spadam.data.source import BaseDatasetSpec, tenth
from spadam.spec import InputError, at_home

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from spadam.data.dataset import Samples

_KINDS = (".npy", ".safetensors")
_SAFETENSORS_TYPES = {
    "BF16": "bfloat16",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "U8": "uint8",
}
"""torch's names of what the format calls otherwise."""


class ArraySpec(BaseDatasetSpec):
    """Your own samples: a .npy or .safetensors file of floats, memory-mapped; labels optional (without: no probe).

    The file holds (N, D) numbers, or (N, …), which are flattened. Nothing is scaled. Values are checked as they are
    read into batches, where they become float32.
    """

    name: Literal["array"] = "array"
    file: str = Field(min_length=1)
    """The samples: a path below ``root``, or an absolute one."""
    key: str | None = None
    """Which tensor of a .safetensors file; null: the only one."""
    labels: str | None = Field(default=None, min_length=1)
    """A file with one whole number per sample, classes counted from 0; null: no labels."""
    labels_key: str | None = None
    """Which tensor of the labels' .safetensors file; null: the only one."""
    test_size: int | None = Field(default=None, ge=0)
    """Test samples; null: a tenth."""

    @model_validator(mode="after")
    def _agree(self) -> ArraySpec:
        for argument, file, key in (("file", self.file, self.key), ("labels", self.labels, self.labels_key)):
            key_name = "key" if argument == "file" else "labels_key"
            suffix = None if file is None else Path(file).suffix
            if file is not None and suffix not in _KINDS:
                rule = "must be a .npy or a .safetensors file"
                raise InputError(f"data.{argument}", file, rule, "save it as one of them")
            if key is not None and suffix != ".safetensors":
                rule = f"only a .safetensors file has keys, and data.{argument} is not one"
                raise InputError(f"data.{key_name}", key, rule, "remove it")
        return self

    def files(self) -> tuple[Path, ...]:
        """The samples' file and, with labels, the labels' file."""
        paths = []
        for argument, file in (("data.file", self.file), ("data.labels", self.labels)):
            if file is not None:
                paths.append(self.folder / at_home(file, argument))
                if not paths[-1].is_file():
                    remedy = "check data.root and the name"
                    raise InputError(argument, file, f"there is no file {paths[-1]}", remedy)
        return tuple(paths)

    def read(self, files: tuple[Path, ...]) -> Samples:
        """Map the samples and read the labels. No sample is touched."""
        from spadam.data.dataset import Samples

        x = _open(files[0], self.key, "data.file", "data.key")
        if x.ndim < 2 or x.numel() == 0 or not x.is_floating_point():
            rule = f"must hold floats of size (samples, features) or (samples, …), not {_kind(x)}"
            raise InputError("data.file", self.file, rule, "save it as a two-dimensional array of float32")
        y_N = _read_labels(files[1], self, len(x)) if self.labels is not None else None
        return Samples(
            x.view(len(x), -1),
            y_N,
            classes=None if y_N is None else int(y_N.max()) + 1,
            image_shape=(x.shape[1], x.shape[2]) if x.ndim == 3 else None,
            mapped=True,
        )

    def default_sizes(self, pool: int) -> tuple[int, int]:
        """A tenth for validation, and ``test_size`` or a tenth for test."""
        return tenth(pool), tenth(pool) if self.test_size is None else self.test_size


def _read_labels(path: Path, spec: ArraySpec, samples: int) -> Tensor:
    import torch

    y = _open(path, spec.labels_key, "data.labels", "data.labels_key")
    if y.shape != (samples,) or y.is_floating_point():
        rule = f"must hold one whole number for each of the {samples} samples, not {_kind(y)}"
        raise InputError("data.labels", spec.labels, rule, f"save it as {samples} integers")
    y_N = y.to(torch.int64, copy=True)
    low, high = int(y_N.min()), int(y_N.max())
    if low < 0 or high >= samples:
        rule = f"classes must be counted from 0, but the labels go from {low} to {high}"
        raise InputError("data.labels", spec.labels, rule, "number the classes 0, 1, 2, …")
    return y_N


def _open(path: Path, key: str | None, argument: str, key_argument: str) -> Tensor:
    """The tensor in ``path``, mapped and not read."""
    from safetensors import SafetensorError

    try:
        return _open_npy(path) if path.suffix == ".npy" else _open_safetensors(path, key, key_argument)
    except InputError:
        raise
    except (OSError, EOFError, ValueError, SafetensorError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(
            argument, str(path), f"must be a whole {path.suffix} file ({reason})", "save it again"
        ) from None


def _open_npy(path: Path) -> Tensor:
    import numpy as np

    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not array.flags.c_contiguous:
        raise ValueError("it is in Fortran order; save np.ascontiguousarray of it")
    if not array.dtype.isnative:
        raise ValueError("its bytes are in the order of another machine; save it in this machine's")
    if array.dtype.kind not in "fiu":
        raise ValueError(f"numbers are expected, not {array.dtype}")
    return _share(array)


def _open_safetensors(path: Path, key: str | None, argument: str) -> Tensor:
    import numpy as np
    import torch
    from safetensors import safe_open

    # the library checks the header; its own tensors for torch cannot be larger than memory, see _share
    with safe_open(path, framework="np") as file:
        keys = list(file.keys())
    if key is None and len(keys) != 1:
        rule = f"{path.name} holds {len(keys)} tensors, and one must be chosen"
        raise InputError(argument, None, rule, f"set it to one of: {', '.join(keys)}")
    if key is not None and key not in keys:
        raise InputError(argument, key, f"{path.name} has no such tensor", f"choose one of: {', '.join(keys)}")
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(header_bytes))[keys[0] if key is None else key]
    if entry["dtype"] not in _SAFETENSORS_TYPES:
        raise ValueError(f"its type {entry['dtype']} is not read")
    begin, end = entry["data_offsets"]
    flat = np.memmap(path, np.uint8, mode="r", offset=8 + header_bytes + begin, shape=(end - begin,))
    return _share(flat).view(getattr(torch, _SAFETENSORS_TYPES[entry["dtype"]])).view(entry["shape"])


def _share(array: np.ndarray[Any, Any]) -> Tensor:
    """A tensor on the memory of ``array``, which is mapped read-only.

    A writable private mapping would do without the warning, but the system refuses one that is larger than memory.
    """
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of size {tuple(tensor.shape)}"
