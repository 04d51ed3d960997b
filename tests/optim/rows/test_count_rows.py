"""count_rows, with real embeddings and real backward passes."""

from __future__ import annotations

import copy
import gc
import weakref

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from spadam.optim import ActiveAdam, LazyAdam, RowClockAdam, count_rows
from spadam.spec import InputError


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


# ---------------------------------------------------------------- counts go with the gradient

INDEX = torch.tensor([[3, 5, 3], [5, 1, 5]])


def told(embedding: nn.Embedding | nn.EmbeddingBag) -> tuple[list[int], list[int], int]:
    rows, counts, batch = embedding.weight.row_samples
    return rows.tolist(), counts.tolist(), batch


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("throw_away", ["optimizer", "zeros", "model", "by hand"])
def test_counts_of_a_gradient_thrown_away_are_thrown_away(sparse, throw_away) -> None:
    """As where GradScaler skips a step: rows of that batch must not move in the next one."""
    embedding = nn.Embedding(10, 2, sparse=sparse)
    count_rows(embedding)
    optimizer = LazyAdam(embedding.parameters())
    embedding(torch.tensor([[7, 8]])).sum().backward()
    output = embedding(INDEX)  # some loops look up before they throw away, some after
    {
        "optimizer": optimizer.zero_grad,
        "zeros": lambda: optimizer.zero_grad(set_to_none=False),
        "model": embedding.zero_grad,
        "by hand": lambda: setattr(embedding.weight, "grad", None),
    }[throw_away]()
    output.sum().backward()
    assert told(embedding) == ([1, 3, 5], [1, 1, 2], 2)
    before = embedding.weight.detach().clone()
    optimizer.step()
    assert (embedding.weight != before).any(1).nonzero()[:, 0].tolist() == [1, 3, 5]


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_pass_that_is_done_again_counts_once(reentrant) -> None:
    embedding, inner = nn.Embedding(10, 4, sparse=True), nn.Linear(4, 4)
    count_rows(embedding)

    def block(x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        return inner(embedding(index)).tanh() + x

    x = torch.zeros(1, requires_grad=True)
    for times in (1, 2):
        checkpoint(block, x, INDEX, use_reentrant=reentrant).sum().backward()
        assert told(embedding) == ([1, 3, 5], [times, times, 2 * times], 2 * times)


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_table_looked_up_twice_in_a_pass_sees_one_batch(reentrant) -> None:
    embedding = nn.Embedding(10, 4, sparse=True)
    count_rows(embedding)
    x = torch.zeros(1, requires_grad=True)
    left, right = embedding(torch.tensor([3, 5])), embedding(torch.tensor([5, 5]))
    (left * right).sum().backward()
    assert told(embedding) == ([3, 5], [1, 2], 2)
    embedding.zero_grad()
    again = checkpoint(lambda x, index: embedding(index) + x, x, torch.tensor([5, 5]), use_reentrant=reentrant)
    (embedding(torch.tensor([3, 5])) * again).sum().backward()
    assert told(embedding) == ([3, 5], [1, 2], 2)
    both = [
        checkpoint(lambda x, i: embedding(i) + x, x, torch.tensor(i), use_reentrant=reentrant) for i in ([5, 1], [1, 5])
    ]
    (both[0] * both[1]).sum().backward()
    assert told(embedding) == ([1, 3, 5], [2, 1, 4], 4)


def test_embeddings_that_share_a_table_tell_it_of_one_batch() -> None:
    first = nn.Embedding(10, 4)
    second = nn.Embedding(10, 4)
    second.weight = first.weight
    for embedding in (first, second):
        count_rows(embedding)
    (first(torch.tensor([3, 5])) * second(torch.tensor([5, 5]))).sum().backward()
    assert told(first) == ([3, 5], [1, 2], 2)


def test_lookups_of_different_batches_in_one_pass_are_an_error() -> None:
    embedding = nn.Embedding(10, 4)
    count_rows(embedding)
    with pytest.raises(InputError, match=r"2 and 3 samples came in one backward pass.*first dimension"):
        (embedding(torch.tensor([3, 5])).sum() + embedding(torch.tensor([1, 2, 3])).sum()).backward()


def test_asking_twice_counts_once_until_both_are_removed() -> None:
    embedding = nn.Embedding(10, 4)
    first, second = count_rows(embedding), count_rows(embedding)
    for handle in (None, first, second):
        if handle is not None:
            handle.remove()
        embedding.weight.row_samples = None
        embedding.zero_grad()
        embedding(INDEX).sum().backward()
        if handle is second:
            assert embedding.weight.row_samples is None
        else:
            assert told(embedding) == ([1, 3, 5], [1, 1, 2], 2)


def test_a_pass_whose_gradient_never_comes_counts_for_nothing() -> None:
    embedding = nn.Embedding(10, 4)
    count_rows(embedding)
    embedding(torch.tensor([8, 9]))
    torch.autograd.grad(embedding(torch.tensor([7])).sum(), embedding.weight)
    embedding(INDEX).sum().backward()
    assert told(embedding) == ([1, 3, 5], [1, 1, 2], 2)


def test_a_backward_pass_that_broke_leaves_nothing() -> None:
    embedding = nn.Embedding(10, 4)
    count_rows(embedding)
    weight = nn.Parameter(torch.ones(1))
    output = weight * embedding(torch.tensor([8, 9])).sum()

    def fail(_: torch.Tensor) -> None:
        raise MemoryError

    looked_up = embedding(torch.tensor([8, 9]))
    looked_up.register_hook(fail)
    output = looked_up.sum()
    with pytest.raises(MemoryError):
        output.backward()
    embedding(INDEX).sum().backward()
    assert told(embedding) == ([1, 3, 5], [1, 1, 2], 2)


@pytest.mark.parametrize("index", [torch.zeros(0), torch.zeros(2, 0), torch.zeros(0, 3), torch.zeros(2, 0, 3)])
@pytest.mark.parametrize("sparse", [True, False])
def test_an_empty_index_lists_no_row(index, sparse) -> None:
    embedding = nn.Embedding(10, 4, sparse=sparse)
    count_rows(embedding)
    optimizer = ActiveAdam(embedding.parameters())
    before = embedding.weight.detach().clone()
    embedding(index.long()).sum().backward()
    assert told(embedding) == ([], [], index.shape[0])
    optimizer.step()
    assert torch.equal(embedding.weight, before)


def test_an_index_may_come_by_its_name_and_in_int32() -> None:
    embedding = nn.Embedding(10, 4)
    count_rows(embedding)
    embedding(input=INDEX.int()).sum().backward()
    assert told(embedding) == ([1, 3, 5], [1, 1, 2], 2)


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("by_name", [True, False])
def test_a_sample_of_an_embedding_bag_is_a_bag(last, by_name) -> None:
    bags = nn.EmbeddingBag(10, 4, mode="sum", sparse=True, include_last_offset=last, padding_idx=9)
    count_rows(bags)
    index, offsets = torch.tensor([3, 3, 9, 5, 3, 5]), torch.tensor([0, 2, 2, 4, *([6] if last else [])])
    output = bags(input=index, offsets=offsets) if by_name else bags(index, offsets)
    output.sum().backward()
    assert told(bags) == ([3, 5], [2, 2], 4)  # the second bag is empty, the third holds padding and 5
    bags.zero_grad()
    bags(INDEX).sum().backward()
    assert told(bags) == ([1, 3, 5], [1, 1, 2], 2)


def test_other_modules_are_refused() -> None:
    with pytest.raises(InputError, match=r"count_rows.*Linear.*must be an nn.Embedding"):
        count_rows(nn.Linear(2, 2))


def test_a_counted_embedding_is_copied_saved_and_let_go(tmp_path) -> None:
    embedding = nn.Embedding(10, 4)
    count_rows(embedding)
    embedding(INDEX).sum().backward()
    twin = copy.deepcopy(embedding)
    twin(torch.tensor([7])).sum().backward()
    assert told(twin) == ([7], [1], 1)
    torch.save(embedding.weight, tmp_path / "weight.pt")
    loaded = torch.load(tmp_path / "weight.pt", weights_only=True)
    assert torch.equal(loaded, embedding.weight)
    gone = weakref.ref(embedding.weight)
    del embedding
    gc.collect()
    assert gone() is None
