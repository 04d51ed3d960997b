"""What every row optimizer of the registry promises; a newcomer is tested without a line here."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from support.members import every_row_member, example
from support.row_streams import Entries, every_row, give, run, stream, table

SHAPE = (10, 4)


@every_row_member
@pytest.mark.parametrize("shape", [(9,), (9, 3), (9, 2, 3), (9, 2, 3, 2), (1, 6)])
def test_any_number_of_dimensions_is_rows(spec, shape) -> None:
    """Each shape moves as its (rows, features) matrix does; the state has torch's shapes."""
    param = table(shape, seed=17)
    matrix = nn.Parameter(param.detach().clone().reshape(shape[0], -1))
    one, two = example(spec).build([param]), example(spec).build([matrix])
    for entries in stream(tuple(matrix.shape), 8, seed=18):
        give(matrix, entries, "coo")
        give(param, Entries(entries.rows, entries.values.reshape(-1, *shape[1:])), "coo")
        one.step()
        two.step()
        assert torch.equal(param.detach().reshape(matrix.shape), matrix.detach())
    if "exp_avg" in one.state[param]:
        assert one.state[param]["exp_avg"].shape == param.shape


@every_row_member
def test_a_scalar_is_one_row(spec) -> None:
    scalar, matrix = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor([[2.0]]))
    one, two = example(spec).build([scalar]), example(spec).build([matrix])
    for gradient in (1.0, -3.0, 0.5):
        give(matrix, Entries(torch.tensor([0]), torch.tensor([[gradient]])), "dense")
        scalar.grad, scalar.row_samples = torch.tensor(gradient), matrix.row_samples
        one.step()
        two.step()
        assert scalar.item() == matrix.item()
        assert one.touched(scalar).tolist() == [0]


@every_row_member
@pytest.mark.parametrize("shape", [(8,), (8, 3), (8, 2, 2)])
def test_coo_and_dense_gradients_give_the_same_steps(spec, shape) -> None:
    """Duplicates are summed either way (in another order, so the last bits may differ)."""
    grads = stream(shape, 15, seed=19)
    for counted in (True, False):
        if not counted and spec.model_fields["name"].default == "active_adam":
            continue  # it cannot do without
        one, two = table(shape, seed=20), table(shape, seed=20)
        first, second = example(spec).build([one]), example(spec).build([two])
        for entries in grads:
            give(one, entries, "coo", counted=counted)
            give(two, entries, "dense", counted=counted)
            first.step()
            second.step()
            assert first.touched(one).tolist() == second.touched(two).tolist() == entries.rows.unique().tolist()
        torch.testing.assert_close(one, two, rtol=0, atol=1e-13)


@every_row_member
def test_groups_have_options_of_their_own(spec) -> None:
    grads = stream(SHAPE, 6, seed=21)
    fast, slow, alone = (table(SHAPE, seed=22) for _ in range(3))
    build = type(example(spec).build([alone]))
    both = build([{"params": [fast], "lr": 1e-2}, {"params": [slow]}], lr=1e-3)
    single = build([alone], lr=1e-2)
    for entries in grads:
        for param in (fast, slow, alone):
            give(param, entries, "coo")
        both.step()
        single.step()
    assert torch.equal(fast, alone)
    assert not torch.equal(fast, slow)
    assert both.touched(slow).tolist() == both.touched(fast).tolist()


@every_row_member
def test_a_layout_that_is_not_rows_is_updated_all_the_same(spec) -> None:
    plain = table((6, 2, 3, 3), seed=23)
    last = nn.Parameter(plain.detach().clone().to(memory_format=torch.channels_last))
    turned, straight = nn.Parameter(torch.ones(5, 3).double().t()), nn.Parameter(torch.ones(3, 5).double())
    for one, two in ((plain, last), (straight, turned)):
        build = example(spec).build
        optimizers = build([one]), build([two])
        for entries in stream(tuple(one.shape), 4, seed=24):
            for param, optimizer in zip((one, two), optimizers, strict=True):
                give(param, entries, "coo")
                optimizer.step()
        assert torch.equal(one, two)
    assert last.is_contiguous(memory_format=torch.channels_last)


@every_row_member
def test_how_a_gradient_lies_in_memory_makes_no_difference(spec) -> None:
    straight, turned, listed = (table((24, 33), seed=29, dtype=torch.float32) for _ in range(3))
    optimizers = [example(spec).build([param]) for param in (straight, turned, listed)]
    for entries in every_row((24, 33), 4, seed=30, dtype=torch.float32):
        for param in (straight, turned, listed):
            give(param, entries, "dense")
        turned.grad = entries.values.t().contiguous().t()
        listed.grad = torch.sparse_coo_tensor(
            entries.rows[None], turned.grad, turned.shape, is_coalesced=True, check_invariants=False
        )
        for optimizer in optimizers:
            optimizer.step()
    assert torch.equal(straight, turned)
    assert torch.equal(straight, listed)


@every_row_member
def test_an_empty_coo_gradient_counts_a_step(spec) -> None:
    empty = Entries(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4).double())
    param = table(SHAPE, seed=25)
    optimizer = example(spec).build([param])
    run(optimizer, param, stream(SHAPE, 1, seed=26), "coo")
    before = param.detach().clone()
    run(optimizer, param, [empty], "coo")
    assert optimizer.state[param]["step"] == 2
    assert torch.equal(param, before) != spec.moves_untouched
    assert optimizer.touched(param).tolist() == []


@every_row_member
@pytest.mark.parametrize("shape", [(8,), (8, 3), (8, 3, 2)])
@pytest.mark.parametrize("row_accumulate", [1, 3])
@pytest.mark.parametrize("coalesced", [True, False])
def test_a_gradient_may_be_empty_in_any_number_of_dimensions(spec, shape, row_accumulate, coalesced) -> None:
    """Also in the first step, and however it says that it is empty."""
    build = type(example(spec).build([nn.Parameter(torch.ones(1))]))
    param = table(shape, seed=25)
    optimizer = build([param], row_accumulate=row_accumulate)
    for step in (1, 2):
        indices, values = torch.zeros(1, 0, dtype=torch.int64), torch.zeros(0, *shape[1:]).double()
        param.grad = torch.sparse_coo_tensor(indices, values, shape, check_invariants=True, is_coalesced=coalesced)
        optimizer.step()
        assert optimizer.state[param]["step"] == step
    assert torch.equal(param, table(shape, seed=25))
    run(optimizer, param, stream(shape, 2, seed=26), "coo")
    assert param.isfinite().all()


@every_row_member
def test_a_gradient_of_none_counts_no_step(spec) -> None:
    param = table(SHAPE, seed=27)
    optimizer = example(spec).build([param])
    run(optimizer, param, stream(SHAPE, 1, seed=28), "coo")
    before = param.detach().clone()
    param.grad = None
    optimizer.step()
    assert optimizer.state[param]["step"] == 1
    assert torch.equal(param, before)
    assert optimizer.touched(param).tolist() == []


@every_row_member
def test_wrong_arguments_are_refused(spec) -> None:
    kind = type(example(spec).build([nn.Parameter(torch.ones(1))]))
    wrong = {"lr": -1.0, "eps": -1.0, "betas": (0.9, 1.0), "momentum": -0.1, "epsilon": "inside", "row_accumulate": 0}
    fields = {*spec.model_fields}
    assert fields >= {"lr", "row_accumulate"}
    for name, value in wrong.items():
        if name in fields:
            with pytest.raises(ValueError, match=name):
                kind([nn.Parameter(torch.ones(1))], **{name: value})
