"""row_accumulate: sums until enough samples have come."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import nn

from spadam.optim import (
    ActiveAdam,
    Adagrad,
    LazyAdam,
    MaskedAdam,
    RMSprop,
    RowClockAdam,
    RowwiseAdagrad,
    SignSGD,
    Signum,
    TFSparseAdam,
)
from support.row_streams import Entries, give, run, stream, table

SHAPE = (8, 3)


def due(grads: list[Entries], samples: int, *, mean: bool = False) -> list[Entries]:
    """The gradients that should be applied in each step, by plain bookkeeping, one entry a due row."""
    sums, counts = torch.zeros(SHAPE).double(), [0] * SHAPE[0]
    out = []
    for rows, values in grads:
        listed = rows.unique().tolist()
        for row in listed:
            chosen = rows == row
            sums[row] += values[chosen].sum(0) * (len(rows) if mean else 1)
            counts[row] += int(chosen.sum())
        ready = [row for row in listed if counts[row] >= samples]
        grad = [sums[row] / (counts[row] if mean else 1) for row in ready]
        for row in ready:
            sums[row], counts[row] = 0.0, 0
        out.append(
            Entries(torch.tensor(ready, dtype=torch.int64), torch.stack(grad) if grad else torch.zeros(0, 3).double())
        )
    return out


@pytest.mark.parametrize(
    "make", [LazyAdam, MaskedAdam, TFSparseAdam, RowClockAdam, Adagrad, RowwiseAdagrad, RMSprop, SignSGD, Signum]
)
@pytest.mark.parametrize("samples", [2, 5])
def test_sums_are_applied_when_enough_samples_have_come(make, samples) -> None:
    grads = stream(SHAPE, 40, seed=1)
    waiting, plain = (table(SHAPE, seed=2) for _ in range(2))
    path = run(make([waiting], row_accumulate=samples), waiting, grads)
    want = run(make([plain]), plain, due(grads, samples))
    torch.testing.assert_close(path, want, rtol=0, atol=1e-12)  # sums in another order
    every = table(SHAPE, seed=2)
    assert not torch.allclose(run(make([every]), every, grads), want)


def test_an_active_sample_is_the_mean_over_the_batches_it_came_in() -> None:
    """Batches of different size: each sample weighs the same."""
    grads = [
        Entries(e.rows[: 2 + i % 4], e.values[: 2 + i % 4] / (2 + i % 4)) for i, e in enumerate(stream(SHAPE, 40, 3))
    ]
    waiting, plain = (table(SHAPE, seed=4) for _ in range(2))
    path = run(ActiveAdam([waiting], row_accumulate=3), waiting, grads)
    want = run(RowClockAdam([plain]), plain, due(grads, 3, mean=True))
    torch.testing.assert_close(path, want, rtol=0, atol=1e-12)


def test_touched_rows_are_those_that_came_not_those_applied() -> None:
    param = table(SHAPE, seed=5)
    before = param.detach().clone()
    optimizer = LazyAdam([param], row_accumulate=100)
    give(param, Entries(torch.tensor([3, 1]), torch.ones(2, 3).double()), "coo")
    optimizer.step()
    assert optimizer.touched(param).tolist() == [1, 3]
    assert torch.equal(param, before)


def test_sums_and_counts_are_state() -> None:
    param = table(SHAPE, seed=6)
    optimizer = LazyAdam([param], row_accumulate=4)
    run(optimizer, param, stream(SHAPE, 5, seed=7))
    state = optimizer.state[param]
    assert state["pending"].dtype is torch.int64
    assert state["pending"].sum() > 0
    twin = nn.Parameter(param.detach().clone())
    fresh = LazyAdam([twin], row_accumulate=4)
    fresh.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    rest = stream(SHAPE, 20, seed=8)
    assert torch.equal(run(optimizer, param, rest), run(fresh, twin, rest))


def test_what_is_pending_is_applied_when_waiting_is_switched_off() -> None:
    param, plain = table(SHAPE, seed=9), table(SHAPE, seed=9)
    optimizer = LazyAdam([param], row_accumulate=10)
    first, second = (
        Entries(torch.tensor([2, 5]), torch.randn(2, 3, generator=torch.Generator().manual_seed(s)).double())
        for s in (1, 2)
    )
    run(optimizer, param, [first])
    optimizer.param_groups[0]["row_accumulate"] = 1
    run(optimizer, param, [second])
    nothing = Entries(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 3).double())
    run(LazyAdam([plain]), plain, [nothing, Entries(first.rows, first.values + second.values)])
    assert torch.equal(param, plain)


@pytest.mark.parametrize(("make", "key"), [(MaskedAdam, "last_step"), (RowClockAdam, "row_step")])
def test_counts_survive_loading_where_floats_would_not_hold_them(make, key) -> None:
    """float32 cannot hold 2^24 + 1, and torch casts state to the parameter's type."""
    param = nn.Parameter(torch.ones(3, 2))
    optimizer = make([param], row_accumulate=2)
    run(optimizer, param, [Entries(torch.arange(3), torch.ones(3, 2))])
    large = 2**24 + 1
    for name in (key, "pending"):
        optimizer.state[param][name].fill_(large)
    optimizer.state[param]["step"] = large
    buffer = io.BytesIO()
    torch.save(optimizer.state_dict(), buffer)
    buffer.seek(0)
    fresh = make([nn.Parameter(torch.ones(3, 2))])
    fresh.load_state_dict(torch.load(buffer, weights_only=True))
    state = fresh.state[fresh.param_groups[0]["params"][0]]
    for name in (key, "pending"):
        assert state[name].dtype is torch.int64
        assert state[name].tolist() == [large] * 3
    assert state["step"] == large
    assert state["exp_avg"].dtype is torch.float32
