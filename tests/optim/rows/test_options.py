"""Options and parameters that are wrong are refused, wherever they come from, and nothing is changed."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from spadam.optim import Adagrad, LazyAdam, RMSprop, SignSGD, Signum
from spadam.spec import InputError
from support.members import build_of, every_row_member
from support.row_streams import Entries, give, run, table

WRONG = {
    "lr": ["1e-3", None, -1.0, math.inf, math.nan, True, torch.ones(2), torch.tensor(-1.0), torch.tensor(1j)],
    "eps": [-1.0, "0", None, math.nan],
    "betas": [(0.9,), (0.9, 1.0), (-0.1, 0.9), 0.9, None, "00", ("0.9", 0.9), (0.9, 0.9, 0.9), (math.nan, 0.9)],
    "momentum": [1.0, -0.1, None],
    "alpha": [1.0, -0.1, "0.9"],
    "lr_decay": [-1.0, None],
    "initial_accumulator_value": [-1.0, math.inf],
    "epsilon": ["inside", None, ["after"]],
    "row_accumulate": [0, 1.5, None, True],
}
UNKNOWN = {
    "weight_decay": 0.1,
    "maximize": True,
    "foreach": True,
    "fused": True,
    "amsgrad": False,
    "learning_rate": 1.0,
}


@every_row_member
def test_wrong_options_are_refused_in_arguments_groups_and_states(spec) -> None:
    build = build_of(spec)
    good = build([table((4, 2), seed=1)])
    for name in good.defaults:
        for value in WRONG[name]:
            if value is None and name == "epsilon":
                continue  # as an argument it stands for the default
            with pytest.raises(InputError, match=name):
                build([table((4, 2), seed=1)], **{name: value})
        for value in WRONG[name]:
            with pytest.raises(InputError, match=name):
                build([{"params": [table((4, 2), seed=1)], name: value}])
            with pytest.raises(InputError, match=name):
                good.add_param_group({"params": [table((4, 2), seed=2)], name: value})
            saved = copy.deepcopy(good.state_dict())
            saved["param_groups"][0][name] = value
            with pytest.raises(InputError, match=name):
                good.load_state_dict(saved)
    assert len(good.param_groups) == 1


@every_row_member
def test_values_written_into_a_group_between_steps_are_checked_before_the_next(spec) -> None:
    """A group that is in order is not stepped either, where another is not."""
    first, second = (table((4, 2), seed=1) for _ in range(2))
    optimizer = build_of(spec)([{"params": [first]}, {"params": [second]}])
    entries = Entries(torch.tensor([1]), torch.ones(1, 2).double())
    run(optimizer, first, [entries])
    before = copy.deepcopy((first, optimizer.state_dict()))
    for name, value in [*((n, v) for n in optimizer.defaults for v in WRONG[n]), *UNKNOWN.items()]:
        group = optimizer.param_groups[1]
        kept = dict(group)
        group[name] = value
        give(first, entries, "coo")
        with pytest.raises(InputError, match=name):
            optimizer.step()
        group.clear()
        group.update(kept)
    assert torch.equal(first, before[0])
    torch.testing.assert_close(optimizer.state_dict()["state"], before[1]["state"], rtol=0, atol=0)
    run(optimizer, first, [entries])


@every_row_member
@pytest.mark.parametrize("name", UNKNOWN)
def test_what_an_optimizer_does_not_know_is_refused_with_what_it_knows(spec, name) -> None:
    good = build_of(spec)([table((4, 2), seed=1)])
    with pytest.raises(InputError, match=rf"param_groups\.{name} .*row_accumulate.*; leave it out"):
        good.add_param_group({"params": [table((4, 2), seed=2)], name: UNKNOWN[name]})
    saved = copy.deepcopy(good.state_dict())
    saved["param_groups"][0][name] = UNKNOWN[name]
    with pytest.raises(InputError, match=name):
        good.load_state_dict(saved)
    assert len(good.param_groups) == 1


def test_a_group_may_have_a_name_and_what_a_schedule_keeps_there() -> None:
    param = table((4, 2), seed=1)
    optimizer = LazyAdam([{"params": [param], "name": "means", "lr": torch.tensor(0.1)}])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=10)
    for _ in range(9):
        give(param, Entries(torch.tensor([1]), torch.ones(1, 2).double()), "coo")
        optimizer.step()
        schedule.step()
    again = LazyAdam([table((4, 2), seed=1)])
    again.load_state_dict(optimizer.state_dict())
    assert again.param_groups[0]["name"] == "means"


@pytest.mark.parametrize("build", [Adagrad, RMSprop, SignSGD, Signum, LazyAdam])
def test_every_option_has_a_rule(build) -> None:
    assert set(build([nn.Parameter(torch.ones(1))]).defaults) <= set(WRONG)


@every_row_member
def test_parameters_without_rows_of_real_numbers_are_refused(spec) -> None:
    build = build_of(spec)
    good = build([table((4, 2), seed=1)])
    wrong = {
        "complex64": torch.ones(3, 2, dtype=torch.complex64),
        "sparse_coo": torch.ones(3, 2).to_sparse(1),
    }
    for name, tensor in wrong.items():
        with pytest.raises(InputError, match=name):
            build([nn.Parameter(tensor)])
        with pytest.raises(InputError, match=name):
            good.add_param_group({"params": [nn.Parameter(tensor)]})
    assert len(good.param_groups) == 1


@every_row_member
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("form", ["coo", "dense"])
def test_small_types_are_computed_in_float32(spec, dtype, form) -> None:
    """Every step is that of float32 from the same weights and gradients, rounded once; and it goes on when loaded."""
    build = build_of(spec)
    small, generator = nn.Parameter(torch.ones(6, 4, dtype=dtype)), torch.Generator().manual_seed(3)
    wide = nn.Parameter(small.detach().float())
    one, two = build([small]), build([wide])
    for step in range(12):
        rows = torch.tensor([1, 4, 5][: 2 + step % 2])
        values = (torch.randn(len(rows), 4, generator=generator) * 1e-3).to(dtype)
        give(small, Entries(rows, values), form)
        give(wide, Entries(rows, values.float()), form)
        one.step()
        two.step()
        assert small.isfinite().all()
        assert torch.equal(small, wide.to(dtype))
        wide.data.copy_(small)
        if step == 6:
            fresh = build([small])
            fresh.load_state_dict(one.state_dict())
            one = fresh
    for name, value in one.state[small].items():
        if isinstance(value, torch.Tensor):
            assert value.dtype == two.state[wide][name].dtype
            assert torch.equal(value, two.state[wide][name])
