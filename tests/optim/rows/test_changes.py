"""What a step says of the rows that it changed, and that torch counts the change."""

from __future__ import annotations

import io

import pytest
import torch
from torch import nn

from spadam.optim import LazyAdam
from spadam.optim.rows.changes import RowChanges, row_changes
from support.members import every_row_member, example
from support.row_streams import Entries, give, run, stream, table

SHAPE = (10, 4)


@every_row_member
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_rows_named_are_those_that_changed(spec, samples, dtype) -> None:
    param = table(SHAPE, seed=1, dtype=dtype)
    optimizer = example(spec, row_accumulate=samples, lr=0.5).build([param])
    assert row_changes(param) is None
    named = 0
    for entries in stream(SHAPE, 12, seed=2, dtype=dtype):
        version, weights = param._version, param.detach().clone()
        give(param, entries, "coo")
        optimizer.step()
        changes = row_changes(param)
        assert changes.before == version
        assert changes.after == param._version
        assert (changes.rows is None) == spec.moves_untouched
        moved = (param != weights).any(1).nonzero()[:, 0]
        assert len(moved) == 0 or changes.after > changes.before
        if changes.rows is not None:
            assert changes.rows.tolist() == moved.tolist()
            named += len(changes.rows)
    assert spec.moves_untouched or named > 12


@every_row_member
def test_a_layout_that_is_not_rows_says_so_too(spec) -> None:
    param = nn.Parameter(torch.ones(4, 2, 3, 3).to(memory_format=torch.channels_last))
    optimizer = example(spec).build([param])
    version = param._version
    give(param, Entries(torch.tensor([1, 3]), torch.ones(2, 2, 3, 3)), "coo")
    optimizer.step()
    changes = row_changes(param)
    assert (changes.before, changes.after) == (version, param._version)
    assert param._version > version
    assert spec.moves_untouched or changes.rows.tolist() == [1, 3]


@every_row_member
def test_autograd_sees_that_a_step_changed_what_it_needs(spec) -> None:
    param = table(SHAPE, seed=3, dtype=torch.float32)
    loss = param.square().sum()
    run(example(spec).build([param]), param, stream(SHAPE, 1, seed=4, dtype=torch.float32))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_whoever_else_changes_the_weights_shows_in_the_version() -> None:
    param = table(SHAPE, seed=5)
    optimizer = LazyAdam([param])
    run(optimizer, param, stream(SHAPE, 2, seed=6))
    changes = row_changes(param)
    param.grad = None
    optimizer.step()
    assert row_changes(param) == changes
    assert changes.after == param._version
    with torch.no_grad():
        param.mul_(2)
    assert row_changes(param).after < param._version


def test_a_parameter_is_saved_and_loaded_as_ever() -> None:
    param = table(SHAPE, seed=7)
    run(LazyAdam([param]), param, stream(SHAPE, 2, seed=8))
    buffer = io.BytesIO()
    torch.save(param, buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=True)
    assert torch.equal(loaded, param)
    assert isinstance(row_changes(loaded), RowChanges)
