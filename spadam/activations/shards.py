"""Shards: files of a bounded size, each computed on its own, so that what was interrupted goes on with the same bits.

Shapes: N tokens of all windows, R rows of a shard, D features.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from spadam.spec import InputError

if TYPE_CHECKING:
    from spadam.activations.transformer import Transformer
    from spadam.activations.windows import Windows

KEY = "activations"
"""The one tensor of a shard."""

_MOST = 100_000
"""Names have five digits, so that they are in order."""


def name(shard: int) -> str:
    """The file of the shard of that number."""
    return f"acts-{shard:05d}.safetensors"


def check_size(megabytes: float) -> None:
    """Raise :class:`InputError` unless a shard may have so many ``megabytes``."""
    if not 0 < megabytes < math.inf:
        raise InputError("--shard-mb", megabytes, "must be over 0", "give the most that a file may take, such as 256")


def divide(tokens: int, features: int, dtype: torch.dtype, megabytes: float) -> list[range]:
    """The rows of every shard, all but the last of one size: at most so many ``megabytes``, or else one row.

    Raises :class:`InputError` when they would be too many.
    """
    rows = max(1, int(megabytes * 1e6 / (features * dtype.itemsize)))
    if tokens > rows * _MOST:
        rule = f"there may be {_MOST} shards, and {tokens} tokens would make {-(-tokens // rows)}"
        raise InputError("--shard-mb", megabytes, rule, "raise it")
    return [range(begin, min(begin + rows, tokens)) for begin in range(0, tokens, rows)]


def compute(
    transformer: Transformer,
    windows: Windows,
    rows: range,
    dtype: torch.dtype,
    batch_size: int,
    told: Callable[[int], None],
) -> Tensor:
    """The activations of the tokens ``rows``, (R, D) of ``dtype``; ``told`` hears how many rows came.

    Windows of about one length are computed together, ``batch_size`` at a time; one that lies in two shards is computed
    for both. Raises :class:`InputError` about a value that ``dtype`` does not hold.
    """
    rows_RD = torch.empty(len(rows), transformer.features, dtype=dtype)
    for batch in _batches(windows, rows, batch_size):
        found = transformer.hidden(
            [torch.from_numpy(windows.tokens_N[windows.starts[w] : windows.starts[w + 1]].copy()) for w in batch]
        )
        came = 0
        for window, hidden_TD in zip(batch, found, strict=True):
            start = int(windows.starts[window])
            first, last = max(start, rows.start), min(start + len(hidden_TD), rows.stop)
            into = rows_RD[first - rows.start : last - rows.start]
            into.copy_(hidden_TD[first - start : last - start])
            if not into.isfinite().all():
                raise _not_held(windows, first, into, hidden_TD[first - start : last - start])
            came += last - first
        told(came)
    return rows_RD


def _batches(windows: Windows, rows: range, batch_size: int) -> Iterator[list[int]]:
    """The windows with a token among ``rows``, the longest first, so that memory that is too small is found at once."""
    first = int(np.searchsorted(windows.starts, rows.start, side="right")) - 1
    last = int(np.searchsorted(windows.starts, rows.stop, side="left"))
    lengths = np.diff(windows.starts[first : last + 1])
    order = (first + np.argsort(-lengths, kind="stable")).tolist()
    for begin in range(0, len(order), batch_size):
        yield order[begin : begin + batch_size]


def _not_held(windows: Windows, first: int, stored_TD: Tensor, hidden_TD: Tensor) -> InputError:
    token = int((~stored_TD.isfinite()).any(1).nonzero()[0])
    where = f"token {first + token}, of document {windows.documents_N[first + token]},"
    if not hidden_TD[token].isfinite().all():
        rule, remedy = f"the model must give finite numbers, and for {where} gives others", "choose another layer"
        return InputError("--model", None, rule, remedy)
    kind = str(stored_TD.dtype).removeprefix("torch.")
    rule = f"must hold every value, and {where} has one of {float(hidden_TD[token].abs().max()):.4g}"
    return InputError("--dtype", kind, rule, "use bfloat16 or float32")
