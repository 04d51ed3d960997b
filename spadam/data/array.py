"""A user's own samples in one file, left there and mapped into memory.

Shapes: N samples, D features.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator
from typing_extensions import override

from spadam.data.plain_file import check_file
from spadam.data.source import BaseDatasetSpec, tenth
from spadam.spec import InputError, at_home

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from spadam.data.dataset import Samples

_KINDS = (".npy", ".safetensors")


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
                check_file(paths[-1], argument, file)
        return tuple(paths)

    def read(self, files: tuple[Path, ...]) -> Samples:
        """Map the samples and read the labels. No sample is touched."""
        from spadam.data.dataset import Samples

        x = _open(files[0], self.key, "data.file", "data.key", self.file)
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

    @property
    @override
    def labelled(self) -> bool:
        return self.labels is not None

    def default_sizes(self, pool: int) -> tuple[int, int]:
        """A tenth for validation, and ``test_size`` or a tenth for test."""
        return tenth(pool), tenth(pool) if self.test_size is None else self.test_size


def _read_labels(path: Path, spec: ArraySpec, samples: int) -> Tensor:
    import torch

    y = _open(path, spec.labels_key, "data.labels", "data.labels_key", spec.labels)
    if y.shape != (samples,) or y.is_floating_point():
        rule = f"must hold one whole number for each of the {samples} samples, not {_kind(y)}"
        raise InputError("data.labels", spec.labels, rule, f"save it as {samples} integers")
    y_N = y.to(torch.int64, copy=True)
    low, high = int(y_N.min()), int(y_N.max())
    if low < 0 or high >= samples:
        rule = f"classes must be counted from 0, but the labels go from {low} to {high}"
        raise InputError("data.labels", spec.labels, rule, "number the classes 0, 1, 2, …")
    return y_N


def _open(path: Path, key: str | None, argument: str, key_argument: str, file: object) -> Tensor:
    """The tensor in ``path``, mapped and not read."""
    import torch

    from spadam.data.npy import map_npy  # here, because numpy takes its time to import
    from spadam.data.tensors import map_tensor

    if path.suffix == ".npy":
        return _share(map_npy(path, argument, file))
    flat, kind, shape = map_tensor(path, key, argument, key_argument, file)
    dtype = getattr(torch, kind)
    return _share(flat).view(dtype).view(shape) if flat.size else torch.empty(shape, dtype=dtype)


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
