"""Counting, for an embedding, in how many samples of a batch each row is on.

Counts go with the gradient: they are taken when it comes back through what was looked up, and are given to the table
when it is added to ``weight.grad``. So a pass that is done twice to save memory counts once, one whose gradient never
comes not at all, and counts of a gradient that was thrown away (GradScaler, ``zero_grad``) are thrown away with it.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, MutableMapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from torch.utils.weak import WeakTensorKeyDictionary

from spadam.optim.rows.touched import RowSamples, set_row_samples
from spadam.spec import InputError


def count_rows(embedding: nn.Embedding | nn.EmbeddingBag) -> RemovableHandle:
    """Let ``embedding`` tell its row optimizer in how many samples of a batch each row is on.

    ``embedding.weight.row_samples`` is set from the input (B, …) of passes in training mode with gradients enabled: a
    row's count is the number of samples (first dimension; for an EmbeddingBag its bags) in which it occurs, however
    often; the batch is B. ``padding_idx`` is left out.

    What one backward pass brings is one batch: where a table is looked up several times in it, sample i is the i-th of
    each lookup, and all must have as many samples. Batches of further backward passes are added, as their gradients
    are. Asking twice for the same embedding changes nothing.

    Returns the handle whose ``remove()`` ends the counting. Raises :class:`InputError` for another module; the backward
    pass raises it for lookups of different batches.

    >>> table = nn.Embedding(100, 4, sparse=True)
    >>> handle = count_rows(table)
    >>> _ = table(torch.tensor([[7, 7, 2], [7, 5, 5]]))
    >>> rows, counts, batch = table.weight.row_samples
    >>> rows.tolist(), counts.tolist(), batch
    ([2, 5, 7], [1, 1, 2], 2)
    """
    if not isinstance(embedding, nn.Embedding | nn.EmbeddingBag):
        rule, remedy = "must be an nn.Embedding or nn.EmbeddingBag", "set param.row_samples yourself"
        raise InputError("count_rows", type(embedding).__name__, rule, remedy)
    return embedding.register_forward_hook(_Watch(), with_kwargs=True)


class _Lookup(NamedTuple):
    """What one pass looked up."""

    pairs_P: Tensor
    """row * batch + sample, distinct."""
    batch: int


class _Watch:
    """Sees every pass of an embedding."""

    def __call__(self, table: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> None:
        first = next(hook for hook in table._forward_hooks.values() if isinstance(hook, _Watch))
        if first is self and table.training and output.requires_grad and table.weight.requires_grad:
            _tally_of(table.weight).note(_looked_up(table, *args, **kwargs), output)


class _Tally:
    """The samples behind a weight's gradient.

    A pass that is done again in a backward pass may run one of its own, within: what it brings is of the batch of the
    outermost.
    """

    def __init__(self, weight: Tensor) -> None:
        self._weight = weakref.ref(weight)
        self._seen: list[_Lookup] = []  # of passes whose gradient has not come
        self._outermost: dict[int, int] = {}  # backward pass -> the one that it is within
        self._arrived: dict[int, list[_Lookup]] = {}  # outermost backward pass -> what its gradient came through
        self._settled: RowSamples | None = None  # behind weight.grad
        self._adding = -1  # the outermost backward pass that last added to it
        self._before: RowSamples | None = None  # behind weight.grad before that
        weight.register_hook(self._begin)  # type: ignore[no-untyped-call]
        weight.register_post_accumulate_grad_hook(self._settle)  # type: ignore[no-untyped-call]

    def note(self, lookup: _Lookup, output: Tensor) -> None:
        """Count ``lookup`` when the gradient of its ``output`` comes; until then it stands there as announced."""
        within = _backward_pass()

        def arrive(_: Tensor) -> None:
            now = _backward_pass()
            outermost = self._outermost[now] = self._outermost.get(within, within) if within >= 0 else now
            self._arrived.setdefault(outermost, []).append(lookup)

        output.register_hook(arrive)  # type: ignore[no-untyped-call]
        weight = self._weight()
        if weight is None or within >= 0:
            return
        self._outermost.clear()
        self._arrived.clear()
        if getattr(weight, "row_samples", None) is None:
            self._seen.clear()
            self._settled = None
        self._seen.append(lookup)
        before = None if weight.grad is None else self._settled
        set_row_samples(weight, _added(before, *map(_joined, _by_batch(self._seen))))

    def _begin(self, _: Tensor) -> None:
        weight, outermost = self._weight(), self._now()
        if weight is None or outermost == self._adding:
            return
        thrown_away = weight.grad is None or getattr(weight, "row_samples", None) is None
        self._adding, self._before = outermost, None if thrown_away else self._settled

    def _settle(self, weight: Tensor) -> None:
        lookups = self._arrived.get(self._now(), [])
        if not lookups:
            return
        by_batch = _by_batch(lookups)
        if len(by_batch) > 1:
            sizes = " and ".join(str(size) for size in sorted(group[0].batch for group in by_batch))
            rule = f"lookups of {sizes} samples came in one backward pass, which is one batch"
            remedy = "give each the samples as its first dimension, or set row_samples yourself"
            raise InputError("row_samples", None, rule, remedy)
        self._settled = _added(self._before, _joined(lookups))
        self._seen.clear()
        set_row_samples(weight, self._settled)

    def _now(self) -> int:
        now = _backward_pass()
        return self._outermost.get(now, now)


_TALLIES: MutableMapping[Tensor, _Tally] = WeakTensorKeyDictionary()
"""One a weight, whatever embeddings share it."""


def uncount(weight: Tensor) -> None:
    """Forget what has been counted for ``weight``: its gradient is thrown away, though it is not None."""
    if weight in _TALLIES:
        set_row_samples(weight, None)


def _tally_of(weight: Tensor) -> _Tally:
    tally = _TALLIES.get(weight)
    if tally is None:
        tally = _TALLIES[weight] = _Tally(weight)
    return tally


def _backward_pass() -> int:
    """The number of the backward pass under way, -1 when there is none."""
    return torch._C._current_graph_task_id()


@torch.no_grad()
def _looked_up(
    table: nn.Embedding | nn.EmbeddingBag, input: Tensor, offsets: Tensor | None = None, *_: Any, **__: Any
) -> _Lookup:
    """The rows of ``input``, each once a sample."""
    if offsets is not None:
        starts = offsets[:-1] if table.include_last_offset else offsets
        batch, places = len(starts), torch.arange(len(input), device=input.device)
        sample_N = torch.searchsorted(starts.to(places.dtype), places, right=True) - 1
    else:
        batch = input.shape[0] if input.dim() else 1
        sample_N = torch.arange(input.numel(), device=input.device) // max(1, input.numel() // max(1, batch))
    row_N = input.reshape(-1).long()
    if table.padding_idx is not None:
        kept_N = row_N != table.padding_idx
        row_N, sample_N = row_N[kept_N], sample_N[kept_N]
    return _Lookup(torch.unique(row_N * batch + sample_N), batch)


def _by_batch(lookups: Iterable[_Lookup]) -> list[list[_Lookup]]:
    groups: dict[int, list[_Lookup]] = {}
    for lookup in lookups:
        groups.setdefault(lookup.batch, []).append(lookup)
    return list(groups.values())


def _joined(lookups: list[_Lookup]) -> RowSamples:
    """The rows of lookups of one batch, each counted once a sample."""
    batch = lookups[0].batch
    pairs_P = lookups[0].pairs_P
    if len(lookups) > 1:
        pairs_P = torch.unique(torch.cat([lookup.pairs_P for lookup in lookups]))
    rows_R, counts_R = torch.unique_consecutive(pairs_P // max(1, batch), return_counts=True)
    return RowSamples(rows_R, counts_R, batch)


def _added(*parts: RowSamples | None) -> RowSamples:
    """The samples of all the parts, which are different ones."""
    first, *others = [part for part in parts if part is not None]
    for other in others:
        rows_R, place = torch.unique(torch.cat((first.rows_R, other.rows_R)), return_inverse=True)
        counts_R = torch.zeros_like(rows_R).index_add_(0, place, torch.cat((first.counts_R, other.counts_R)))
        first = RowSamples(rows_R, counts_R, first.batch + other.batch)
    return first
