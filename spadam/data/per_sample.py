"""What a file of its own says of each sample: its class, its group, whether it is left out.

Shapes: N numbers, one a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from spadam.data.mapped import describe, map_file
from spadam.data.pattern import names
from spadam.spec import InputError

if TYPE_CHECKING:
    from torch import Tensor


class Read(Protocol):
    """Reads a file that says something of each sample."""

    def __call__(self, path: Path, *, lengths: Sequence[int], file: object) -> Tensor:
        """The numbers in ``path``, one for each of N samples, with N one of ``lengths``; messages call it ``file``."""
        ...


def read_shards(
    paths: Sequence[Path], read: Read, layouts: Sequence[Sequence[int]], argument: str, value: object
) -> Tensor:
    """What one file says of all samples, or each of several of those in a file of samples, one behind the other, (N,).

    ``layouts`` are the ways in which the samples may lie: how many are in each file of them. Raises
    :class:`InputError` about ``argument``, which says ``value``.
    """
    import torch

    if len(paths) == 1:
        return read(paths[0], lengths=[sum(layout) for layout in layouts], file=value)
    lengths = next((layout for layout in layouts if len(layout) == len(paths)), None)
    if lengths is None:
        files, *others = dict.fromkeys(map(len, layouts))
        more = "".join(f" (or {other}, those with splits of their own too)" for other in others)
        lie = f"are in {files} files" if files > 1 else "lie together"
        rule = f"matches {len(paths)} files, and the samples {lie}{more}"
        raise InputError(argument, value, rule, "give one file for all samples, or one for each file of samples")
    parts = zip(paths, lengths, names(paths), strict=True)
    return torch.cat([read(path, lengths=[length], file=name) for path, length, name in parts])


def read_labels(
    path: Path, *, key: str | None, lengths: Sequence[int], file: object, argument: str, most: int
) -> Tensor:
    """Classes counted from 0, (N,) int64, with N one of ``lengths``; there are at most ``most``.

    Raises :class:`InputError` about ``argument``.
    """
    y_N = _read(path, key, file, argument, "data.labels_key", lengths)
    low, high = int(y_N.min()), int(y_N.max())
    if low < 0 or high >= most:
        rule = f"classes must be counted from 0, but the labels go from {low} to {high}"
        raise InputError(argument, file, rule, "number the classes 0, 1, 2, …")
    return y_N


def read_groups(path: Path, *, key: str | None, lengths: Sequence[int], file: object) -> Tensor:
    """The group of each sample, (N,) int64: any whole numbers, with N one of ``lengths``.

    Raises :class:`InputError`.
    """
    return _read(path, key, file, "data.groups", "data.groups_key", lengths)


def read_mask(path: Path, *, key: str | None, lengths: Sequence[int], file: object) -> Tensor:
    """Whether each sample is left out, (N,) bool: what is true or 1, with N one of ``lengths``.

    Raises :class:`InputError` when it holds anything but truth values, or the numbers 0 and 1.
    """
    import torch

    argument = "data.exclude.mask"
    mask_N = map_file(path, key, argument, "data.exclude.mask_key", file, truth=True)
    if mask_N.dtype != torch.bool:
        mask_N = _whole(mask_N, file, argument, lengths)
        low, high = int(mask_N.min()), int(mask_N.max())
        if low < 0 or high > 1:
            rule = f"must hold 0 and 1 only, but its numbers go from {low} to {high}"
            raise InputError(argument, file, rule, "save truth values: 1, or true, leaves a sample out")
    return _as_long_as(mask_N, file, argument, lengths, "truth value").to(torch.bool, copy=True)


def _read(
    path: Path, key: str | None, file: object, argument: str, key_argument: str, lengths: Sequence[int]
) -> Tensor:
    import torch

    found = _whole(map_file(path, key, argument, key_argument, file), file, argument, lengths)
    return found.to(torch.int64, copy=True)


def _whole(found: Tensor, file: object, argument: str, lengths: Sequence[int]) -> Tensor:
    """``found`` if it is whole numbers, one a sample."""
    fits = _as_long_as(found, file, argument, lengths, "whole number")
    if found.is_floating_point():
        rule = f"must hold one whole number for each of the {lengths[0]} samples, not {describe(found)}"
        raise InputError(argument, file, rule, f"save it as {lengths[0]} integers")
    return fits


def _as_long_as(found: Tensor, file: object, argument: str, lengths: Sequence[int], what: str) -> Tensor:
    if found.shape in [(length,) for length in lengths]:
        return found
    samples, *others = dict.fromkeys(lengths)
    more = "".join(f" (or {other}, those with splits of their own too)" for other in others)
    rule = f"must hold one {what} for each of the {samples} samples{more}, not {describe(found)}"
    raise InputError(argument, file, rule, f"save {samples} of them, in the order of the samples")
