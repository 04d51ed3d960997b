"""Rows that are taken out or put in while training, as Gaussian splatting does: in every tensor of the state alike."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from spadam.optim import ActiveAdam, LazyAdam, MaskedAdam, RowOptimizer
from spadam.spec import InputError
from support.members import build_of, every_row_member, every_row_member_that_remembers
from support.row_streams import Entries, run, stream, table

SHAPE = (12, 3)


def change(optimizer: RowOptimizer, param: nn.Parameter, how) -> nn.Parameter:
    """The loop of a splatting trainer: whatever the state holds but the step is a tensor with a row for each row."""
    new = nn.Parameter(how(param.detach()))
    state = optimizer.state.pop(param)
    for name in state:
        if name != "step":
            state[name] = how(state[name])
    optimizer.state[new] = state
    optimizer.param_groups[0]["params"] = [new]
    return new


def among(rows: Tensor, entries: Entries) -> Entries:
    """The entries of these rows, numbered as they stand after all others were taken out."""
    kept = torch.isin(entries.rows, rows)
    return Entries(torch.searchsorted(rows, entries.rows[kept]), entries.values[kept])


@every_row_member
@pytest.mark.parametrize("row_accumulate", [1, 3])
def test_pruned_rows_leave_the_others_as_they_were(spec, row_accumulate) -> None:
    if build_of(spec) is ActiveAdam:  # which sees how many samples the batch has
        grads = [Entries(e.rows % 6 * 2, e.values) for e in stream(SHAPE, 12, seed=2)]
    else:
        grads = stream(SHAPE, 12, seed=2)
    rows = torch.arange(0, 12, 2)
    whole, pruned = (table(SHAPE, seed=1) for _ in range(2))
    first, second = (build_of(spec)([param], row_accumulate=row_accumulate) for param in (whole, pruned))
    for optimizer, param in ((first, whole), (second, pruned)):
        run(optimizer, param, grads[:6])
    pruned = change(second, pruned, lambda tensor: tensor[rows])
    for entries in grads[6:]:
        run(first, whole, [entries])
        run(second, pruned, [among(rows, entries)])
    assert torch.equal(whole[rows], pruned)


@every_row_member
def test_rows_of_zeros_may_be_put_in_in_another_type(spec) -> None:
    """As ``torch.cat([v, torch.zeros(...)])`` does it, which makes real numbers of counts."""
    param = table(SHAPE, seed=1)
    optimizer = build_of(spec)([param], row_accumulate=2)
    run(optimizer, param, stream(SHAPE, 6, seed=2))
    param = change(optimizer, param, lambda tensor: torch.cat([tensor, torch.zeros(2, *tensor.shape[1:])]))
    run(optimizer, param, stream((14, 3), 6, seed=3))
    assert param.isfinite().all()
    saved = copy.deepcopy(optimizer.state_dict())
    build_of(spec)([table((14, 3), seed=1)]).load_state_dict(saved)


@every_row_member_that_remembers
def test_a_state_that_was_not_changed_with_its_parameter_is_refused(spec) -> None:
    param = table(SHAPE, seed=1)
    optimizer = build_of(spec)([param])
    run(optimizer, param, stream(SHAPE, 6, seed=2))
    new = nn.Parameter(param.detach()[:8].clone())
    optimizer.state[new] = optimizer.state.pop(param)
    optimizer.param_groups[0]["params"] = [new]
    before = new.detach().clone()
    with pytest.raises(
        InputError, match=r"state\..*its parameter has 8 rows of 3; change the state with the parameter"
    ):
        run(optimizer, new, stream((8, 3), 1, seed=3))
    assert torch.equal(new, before)


@pytest.mark.parametrize("make", [LazyAdam, MaskedAdam])
def test_a_state_with_other_features_is_refused(make) -> None:
    param = table(SHAPE, seed=1)
    optimizer = make([param])
    run(optimizer, param, stream(SHAPE, 2, seed=2))
    optimizer.state[param]["exp_avg"] = torch.zeros(12, 2).double()
    with pytest.raises(InputError, match=r"state.exp_avg = \(12, 2\)"):
        run(optimizer, param, stream(SHAPE, 1, seed=3))
