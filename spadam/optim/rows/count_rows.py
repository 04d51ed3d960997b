"""Counting, for an embedding, in how many samples of a batch each row is on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from spadam.optim.rows.touched import RowSamples, row_samples, set_row_samples


def count_rows(embedding: nn.Embedding) -> RemovableHandle:
    """Let ``embedding`` tell its row optimizer, at every training pass, in how many samples each row is on.

    Before each forward pass in training mode with gradients enabled, ``embedding.weight.row_samples`` is set from the
    input (B, …): a row's count is the number of samples (first dimension) in which it occurs, however often; the batch
    is B. ``padding_idx`` is left out. Passes since the last step are added up, as their gradients are. Row optimizers
    take ``row_samples`` away when they step; beside another optimizer set it to None after each step yourself.

    Returns the handle whose ``remove()`` ends the counting.

    >>> table = nn.Embedding(100, 4, sparse=True)
    >>> handle = count_rows(table)
    >>> _ = table(torch.tensor([[7, 7, 2], [7, 5, 5]]))
    >>> rows, counts, batch = table.weight.row_samples
    >>> rows.tolist(), counts.tolist(), batch
    ([2, 5, 7], [1, 1, 2], 2)
    """
    return embedding.register_forward_pre_hook(_count)


@torch.no_grad()
def _count_samples(index: Tensor, embedding: nn.Embedding) -> RowSamples:
    """Rows of ``index`` (B, …), each counted once a sample."""
    batch = index.shape[0] if index.dim() else 1
    row_BT = index.reshape(batch, -1).long()
    sample_BT = torch.arange(batch, device=row_BT.device)[:, None].expand_as(row_BT)
    kept = torch.ones_like(row_BT, dtype=torch.bool)
    if embedding.padding_idx is not None:
        kept = row_BT != embedding.padding_idx
    pairs = torch.unique(row_BT[kept] * batch + sample_BT[kept])
    rows_R, counts_R = torch.unique_consecutive(pairs // batch, return_counts=True)
    return RowSamples(rows_R, counts_R, batch)


def _add(first: RowSamples, second: RowSamples) -> RowSamples:
    rows_R, place = torch.unique(torch.cat((first.rows_R, second.rows_R)), return_inverse=True)
    counts_R = torch.zeros_like(rows_R).index_add_(0, place, torch.cat((first.counts_R, second.counts_R)))
    return RowSamples(rows_R, counts_R, first.batch + second.batch)


def _count(embedding: nn.Module, inputs: tuple[Any, ...]) -> None:
    assert isinstance(embedding, nn.Embedding)
    if embedding.training and torch.is_grad_enabled() and embedding.weight.requires_grad:
        samples = _count_samples(inputs[0], embedding)
        before = row_samples(embedding.weight)
        set_row_samples(embedding.weight, samples if before is None else _add(before, samples))
