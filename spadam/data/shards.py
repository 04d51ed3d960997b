"""Samples that lie in several files, used as though they lay in one.

Shapes: N samples, D features, M samples that were asked for.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from spadam.data.mapped import describe
from spadam.spec import InputError


class Shards:
    """The rows of ``tensors``, by their ``names``: each (n, D), n > 0, all of one D and one floating type, on the CPU.

    It has of a tensor (N, D) what a set of samples asks of one: sizes, type, device and :meth:`index_select`.
    """

    def __init__(self, names: Sequence[str], tensors: Sequence[Tensor]) -> None:
        self.names, self.tensors = tuple(names), tuple(tensors)
        self._ends = torch.tensor(list(accumulate(map(len, tensors))))
        self.shape = torch.Size((int(self._ends[-1]), tensors[0].shape[1]))
        self.dtype, self.device = tensors[0].dtype, tensors[0].device
        self.nbytes = sum(tensor.nbytes for tensor in tensors)

    def __len__(self) -> int:
        """N."""
        return self.shape[0]

    def index_select(self, dim: int, rows_M: Tensor) -> Tensor:
        """The rows ``rows_M``, int64 indices, in their order, (M, D); ``dim`` is 0. Each shard is read forwards."""
        assert dim == 0
        if not len(rows_M):
            return torch.empty(0, self.shape[1], dtype=self.dtype)
        if not 0 <= int(rows_M.min()) <= int(rows_M.max()) < len(self):
            raise IndexError(f"rows must be in [0, {len(self)})")
        sorted_M, order_M = rows_M.sort()
        counts = torch.bincount(torch.bucketize(sorted_M, self._ends, right=True))
        shards: list[int] = counts.nonzero().flatten().tolist()
        if len(shards) == 1:
            return self.tensors[shards[0]].index_select(0, rows_M - self._first(shards[0]))
        found_MD, sizes = torch.empty(len(rows_M), self.shape[1], dtype=self.dtype), counts[shards].tolist()
        for shard, here, places in zip(shards, torch.split(sorted_M, sizes), torch.split(order_M, sizes), strict=True):
            found_MD[places] = self.tensors[shard].index_select(0, here - self._first(shard))
        return found_MD

    def locate(self, row: int) -> tuple[str, int]:
        """The name of the shard that has ``row``, and the row's number in it."""
        shard = int(torch.bucketize(row, self._ends, right=True))
        return self.names[shard], row - self._first(shard)

    def _first(self, shard: int) -> int:
        return int(self._ends[shard]) - len(self.tensors[shard])


Rows = Tensor | Shards
"""Samples (N, D) in one tensor, or in several."""


def join(tensors: Mapping[str, Tensor], argument: str) -> Rows:
    """The samples of ``tensors``, each (n, …), by the names of their files, one behind the other; flattened.

    Raises :class:`InputError` about ``argument`` unless samples of all files have one size and one type.
    """
    (first, model), *others = tensors.items()
    for name, x in others:
        if x.shape[1:] != model.shape[1:] or x.dtype != model.dtype:
            rule = f"its samples must be of the size and type of those of {first}, {describe(model[0])}, not "
            remedy = "save all shards alike, or narrow the pattern"
            raise InputError(argument, name, rule + describe(x[0]), remedy)
    flat = [x.view(len(x), -1) for x in tensors.values()]
    return Shards(list(tensors), flat) if others else flat[0]


def pieces(x: Rows) -> tuple[Tensor, ...]:
    """The tensors that ``x`` lies in, in order."""
    return x.tensors if isinstance(x, Shards) else (x,)


def name_row(x: Rows, row: int) -> str:
    """What a message calls the sample ``row`` of ``x``."""
    if isinstance(x, Tensor):
        return f"sample {row}"
    shard, within = x.locate(row)
    return f"sample {within} of {shard}"


def expect(x: Rows, first: int, last: int) -> None:
    """Have the system read the mapped rows from ``first`` to ``last`` ahead, all at once, while something else is done.

    A hint: where the system does not take it, they are read when they are used.
    """
    before = 0
    for tensor in pieces(x):
        start, stop = max(first - before, 0), min(last + 1 - before, len(tensor))
        if start < stop:
            row = tensor.stride(0) * tensor.element_size()
            begin = tensor.data_ptr() + start * row
            aligned = begin - begin % mmap.PAGESIZE
            _library().madvise(
                ctypes.c_void_p(aligned), ctypes.c_size_t(begin - aligned + (stop - start) * row), mmap.MADV_WILLNEED
            )
        before += len(tensor)


@lru_cache(maxsize=1)
def _library() -> Any:
    return ctypes.CDLL(None)
