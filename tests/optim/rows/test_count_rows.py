"""count_rows, with real embeddings and real backward passes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spadam.optim import ActiveAdam, LazyAdam, RowClockAdam, count_rows


def counted(embedding: nn.Embedding, index: list) -> tuple[list[int], list[int], int]:
    embedding.weight.row_samples = None
    embedding(torch.tensor(index))
    rows, counts, batch = embedding.weight.row_samples
    assert rows.dtype is torch.int64
    return rows.tolist(), counts.tolist(), batch


def test_counts_samples_not_occurrences() -> None:
    embedding = nn.Embedding(10, 2, sparse=True)
    count_rows(embedding)
    assert counted(embedding, [3, 5, 3]) == ([3, 5], [2, 1], 3)
    assert counted(embedding, [[3, 5, 3], [5, 5, 5]]) == ([3, 5], [1, 2], 2)
    assert counted(embedding, [[[1, 2], [2, 9]], [[1, 1], [1, 1]]]) == ([1, 2, 9], [2, 1, 1], 2)
    assert counted(embedding, 7) == ([7], [1], 1)


@pytest.mark.parametrize("padding", [0, -1])
def test_padding_is_left_out(padding) -> None:
    embedding = nn.Embedding(4, 2, padding_idx=padding, sparse=True)
    count_rows(embedding)
    assert counted(embedding, [[0, 1, 3], [0, 1, 3]]) == ([1, 3] if padding == 0 else [0, 1], [2, 2], 2)


def test_counts_only_where_a_gradient_will_come_and_until_removed() -> None:
    embedding = nn.Embedding(10, 2, sparse=True)
    handle = count_rows(embedding)
    index = torch.tensor([1, 2])
    with torch.no_grad():
        embedding(index)
    embedding.eval()
    embedding(index)
    embedding.train()
    embedding.weight.requires_grad_(False)
    embedding(index)
    assert getattr(embedding.weight, "row_samples", None) is None
    embedding.weight.requires_grad_(True)
    handle.remove()
    embedding(index)
    assert getattr(embedding.weight, "row_samples", None) is None


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("padding", [None, 0])
def test_passes_before_a_step_add_up_like_their_gradients(sparse, padding) -> None:
    embedding = nn.Embedding(10, 2, sparse=sparse, padding_idx=padding)
    count_rows(embedding)
    optimizer = LazyAdam(embedding.parameters())
    for index in ([[0, 1, 1], [1, 2, 0]], [[2, 3, 3]]):
        embedding(torch.tensor(index)).square().sum().backward()
    rows, counts, batch = embedding.weight.row_samples
    zero = [] if padding == 0 else [0]
    assert rows.tolist() == [*zero, 1, 2, 3]
    assert counts.tolist() == [*[2] * len(zero), 2, 2, 1]
    assert batch == 3
    optimizer.step()
    assert optimizer.touched(embedding.weight).tolist() == [*zero, 1, 2, 3]
    assert embedding.weight.row_samples is None


@pytest.mark.parametrize("sparse", [True, False])
def test_active_adam_sees_the_mean_over_a_rows_samples(sparse) -> None:
    """Samples of one index each: rows seen n times get their mean gradient; so does a table given that gradient."""
    torch.manual_seed(0)
    embedding = nn.Embedding(6, 3, sparse=sparse, dtype=torch.float64)
    target = torch.randn(6, 3, dtype=torch.float64)
    twin = nn.Parameter(embedding.weight.detach().clone())
    count_rows(embedding)
    active, clock = ActiveAdam(embedding.parameters(), lr=1e-2), RowClockAdam([twin], lr=1e-2)
    for step in range(20):
        index = torch.randint(6, (8,), generator=torch.Generator().manual_seed(step))
        active.zero_grad()
        (embedding(index) - target[index]).square().sum(1).mean().backward()
        seen = index.unique()
        grad = torch.zeros(6, 3, dtype=torch.float64)
        grad[seen] = 2 * (twin.detach() - target)[seen]
        twin.grad = grad
        active.step()
        clock.step()
        torch.testing.assert_close(embedding.weight, twin, rtol=0, atol=1e-13)


def test_duplicates_do_for_one_index_a_sample() -> None:
    torch.manual_seed(0)
    one = nn.Embedding(6, 3, sparse=True)
    two = nn.Embedding.from_pretrained(one.weight.detach().clone(), freeze=False, sparse=True)
    count_rows(two)
    optimizers = ActiveAdam(one.parameters(), lr=1e-2), ActiveAdam(two.parameters(), lr=1e-2)
    for step in range(5):
        index = torch.randint(6, (9,), generator=torch.Generator().manual_seed(step))
        for embedding, optimizer in zip((one, two), optimizers, strict=True):
            optimizer.zero_grad()
            embedding(index).square().mean().backward()
            optimizer.step()
    assert torch.equal(one.weight, two.weight)
