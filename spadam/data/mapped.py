"""Tensors on the memory of files: mapped, and not read before they are used."""

from __future__ import annotations

import resource
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadam.data.pattern import is_pattern
from spadam.spec import InputError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

KINDS = (".npy", ".safetensors")
"""The endings of files that can be mapped."""

_OPEN_BESIDE = 512
"""So many other files and connections a process may have: another set, a storage, its workers."""


def check_ending(file: str | None, argument: str) -> None:
    """Raise :class:`InputError` about ``argument`` unless ``file``, if it is given, ends as one that can be mapped.

    A pattern has to say the ending, so that it matches files of one kind.
    """
    if file is not None and Path(file).suffix not in KINDS:
        if is_pattern(file):
            rule = "a pattern must end in .npy or .safetensors"
            raise InputError(argument, file, rule, "write the ending out; all shards have the same")
        rule = "must be a .npy or a .safetensors file"
        raise InputError(argument, file, rule, "save it as one of them")


def check_key(key: str | None, key_argument: str, files: dict[str, str | None]) -> None:
    """Raise :class:`InputError` about ``key_argument`` when a key is given, and none of ``files`` has keys.

    ``files`` are what it may be a key of, by their arguments.
    """
    if key is not None and not any(file is not None and Path(file).suffix == ".safetensors" for file in files.values()):
        given = [argument for argument, file in files.items() if file is not None]
        which = f"{' and '.join(given)} {'is' if len(given) == 1 else 'are'} not one" if given else "none is given"
        raise InputError(key_argument, key, f"only a .safetensors file has keys, and {which}", "remove it")


def allow_mapping(files: int, argument: str, file: object) -> None:
    """Let this process have ``files`` files open, as mapped ones are. Raises :class:`InputError` if it may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = files + _OPEN_BESIDE
    if needed <= soft or soft == resource.RLIM_INFINITY:
        return
    if hard not in (resource.RLIM_INFINITY,) and needed > hard:
        rule = f"it means {files} files, and this process may have {hard} open, of which it needs some"
        raise InputError(argument, file, rule, "raise the limit (ulimit -n), or save fewer and larger shards")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def map_file(
    path: Path, key: str | None, argument: str, key_argument: str, file: object, *, truth: bool = False
) -> Tensor:
    """The tensor in ``path``, mapped and not read; that called ``key`` of a .safetensors file.

    ``truth`` lets it hold truth values. Raises :class:`InputError` about ``argument``, which says ``file``, or about
    ``key_argument``.
    """
    import torch

    from spadam.data.npy import map_npy  # here, because numpy takes its time to import
    from spadam.data.tensors import map_tensor

    if path.suffix == ".npy":
        return _share(map_npy(path, argument, file, truth=truth))
    flat, kind, shape = map_tensor(path, key, argument, key_argument, file, truth=truth)
    dtype = getattr(torch, kind)
    return _share(flat).view(dtype).view(shape) if flat.size else torch.empty(shape, dtype=dtype)


def describe(tensor: Tensor) -> str:
    """Type and size, for a message."""
    return f"{str(tensor.dtype).removeprefix('torch.')} of size {tuple(tensor.shape)}"


def _share(array: np.ndarray[Any, Any]) -> Tensor:
    """A tensor on the memory of ``array``, which is mapped read-only.

    A writable private mapping would do without the warning, but the system refuses one that is larger than memory.
    """
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)
