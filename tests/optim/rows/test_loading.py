"""A state is taken over whole and with its hooks, or refused before anything is changed."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict

from spadam.optim import Adagrad, LazyAdam, MaskedAdam, RowClockAdam, RowwiseAdam, Signum
from spadam.spec import InputError
from support.members import ROW_MEMBERS, build_of, every_row_member, every_row_member_that_remembers
from support.row_streams import give, run, stream, table

SHAPE = (6, 3)


def trained(build, shape=SHAPE, **options):
    param = table(shape, seed=1)
    optimizer = build([param], **options)
    run(optimizer, param, stream(shape, 5, seed=2))
    return optimizer, param


@pytest.mark.parametrize(
    ("saver", "loader", "what"),
    [
        (RowwiseAdam, LazyAdam, "exp_avg_sq"),
        (LazyAdam, RowwiseAdam, "exp_avg_sq"),
        (LazyAdam, RowClockAdam, "row_step"),
        (RowClockAdam, LazyAdam, "row_step"),
        (LazyAdam, MaskedAdam, "last_step"),
        (MaskedAdam, LazyAdam, "last_step"),
        (Signum, LazyAdam, "momentum"),
        (LazyAdam, Adagrad, "betas"),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_the_state_of_another_optimizer_is_refused(saver, loader, what, named) -> None:
    """By its name; one that an older release saved without by what it holds."""
    saved = trained(saver)[0].state_dict()
    optimizer, param = trained(loader)
    if not named:
        del saved["param_groups"][0]["optimizer"]
        saved["param_groups"][0].pop("decayed_with", None)
    else:
        what = f"optimizer = '{saver.__name__}'.*another optimizer than {loader.__name__}"
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(InputError, match=what):
        optimizer.load_state_dict(saved)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for name, value in before["state"][0].items():
        torch.testing.assert_close(after["state"][0][name], value, rtol=0, atol=0)
    run(optimizer, param, stream(SHAPE, 2, seed=3))


@every_row_member
def test_a_state_is_taken_by_the_same_optimizer_only(spec) -> None:
    kinds = [build_of(member) for member in ROW_MEMBERS]
    saved = trained(build_of(spec))[0].state_dict()
    for kind in kinds:
        optimizer, _ = trained(kind)
        if kind is build_of(spec):
            optimizer.load_state_dict(saved)
        else:
            with pytest.raises(InputError, match=rf"another optimizer than {kind.__name__}"):
                optimizer.load_state_dict(saved)
            with pytest.raises(InputError, match=rf"another optimizer than {kind.__name__}"):
                kind(trained(build_of(spec))[0].param_groups)


@every_row_member_that_remembers
@pytest.mark.parametrize("rows", [4, 9])
def test_the_state_of_another_number_of_rows_is_refused(spec, rows) -> None:
    build = build_of(spec)
    saved = trained(build, (rows, 3))[0].state_dict()
    optimizer, _ = trained(build)
    with pytest.raises(InputError, match=rf"state\[0\].*{rows}.*must be \(6"):
        optimizer.load_state_dict(saved)


@every_row_member
def test_sums_of_another_number_of_rows_are_refused(spec) -> None:
    build = build_of(spec)
    optimizer, _ = trained(build, row_accumulate=3)
    saved = copy.deepcopy(optimizer.state_dict())
    saved["state"][0]["pending"] = saved["state"][0]["pending"][:4]
    with pytest.raises(InputError, match="pending"):
        optimizer.load_state_dict(saved)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("step", torch.tensor(5.0), "whole number"),
        ("step", -1, "whole number"),
        ("row_step", torch.ones(6), "of whole numbers"),
        ("exp_avg", torch.ones(SHAPE, dtype=torch.int64), "of real numbers"),
        ("pending", torch.zeros(6, dtype=torch.int64), "pending_grad: the saved state lacks it"),
        ("pending_grad", torch.zeros(SHAPE), "pending: the saved state lacks it"),
    ],
)
def test_a_state_of_wrong_kind_is_refused(name, value, rule) -> None:
    optimizer, _ = trained(RowClockAdam)
    saved = copy.deepcopy(optimizer.state_dict())
    saved["state"][0][name] = value
    with pytest.raises(InputError, match=rule):
        optimizer.load_state_dict(saved)


@pytest.mark.parametrize(("build", "form"), [(torch.optim.SparseAdam, "coo"), (torch.optim.Adam, "dense")])
def test_the_state_of_torchs_optimizers_is_refused(build, form) -> None:
    param = table(SHAPE, seed=1)
    other = build([param])
    for entries in stream(SHAPE, 3, seed=2):
        give(param, entries, form)
        other.step()
    with pytest.raises(InputError, match="param_groups"):
        LazyAdam([table(SHAPE, seed=1)]).load_state_dict(other.state_dict())


@every_row_member
def test_hooks_change_what_is_loaded(spec) -> None:
    build = build_of(spec)
    saved = trained(build)[0].state_dict()
    optimizer, param = trained(build)

    def before(_, state_dict):
        changed = copy.deepcopy(state_dict)
        changed["state"][0]["step"] = 77
        for value in changed["state"][0].values():
            if isinstance(value, torch.Tensor):
                value.add_(3)
        return changed

    optimizer.register_load_state_dict_pre_hook(before)
    seen = []
    optimizer.register_load_state_dict_post_hook(lambda loaded: seen.append(copy.deepcopy(loaded.state[param])))
    optimizer.load_state_dict(saved)
    assert optimizer.state[param]["step"] == seen[0]["step"] == 77
    for name, value in saved["state"][0].items():
        if isinstance(value, torch.Tensor):
            torch.testing.assert_close(optimizer.state[param][name], value + 3, rtol=0, atol=0)
            torch.testing.assert_close(seen[0][name], value + 3, rtol=0, atol=0)


@every_row_member
@pytest.mark.parametrize("row_accumulate", [1, 3])
def test_torchs_distributed_checkpoint_loads_it(spec, row_accumulate) -> None:
    """torch steps once with zero gradients to have a state to load into."""
    build = build_of(spec)

    def made():
        model = nn.Embedding(*SHAPE, dtype=torch.float64)
        model.weight = table(SHAPE, seed=1)
        return model, build(model.parameters(), row_accumulate=row_accumulate)

    model, optimizer = made()
    run(optimizer, model.weight, stream(SHAPE, 5, seed=2))
    saved = copy.deepcopy(get_optimizer_state_dict(model, optimizer))
    fresh_model, fresh = made()
    fresh_model.load_state_dict(model.state_dict())
    set_optimizer_state_dict(fresh_model, fresh, saved)
    for entries in stream(SHAPE, 4, seed=5):
        run(optimizer, model.weight, [entries])
        run(fresh, fresh_model.weight, [entries])
    assert torch.equal(model.weight, fresh_model.weight)
