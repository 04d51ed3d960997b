"""Which rows a gradient touches, and with how many samples."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spadam.optim import ActiveAdam, LazyAdam, MaskedAdam, RowClockAdam, TFSparseAdam
from spadam.optim.rows.touched import RowSamples, list_rows, set_row_samples, touched_rows
from spadam.spec import InputError
from support.row_streams import Entries, coo, dense, give, table

ENTRIES = Entries(torch.tensor([4, 1, 4]), torch.tensor([[1.0, 2.0], [0.0, 0.0], [3.0, -2.0]]))


def parameter(grad: torch.Tensor | None, samples=None) -> nn.Parameter:
    param = nn.Parameter(torch.ones(6, 2))
    param.grad = grad
    if samples is not None:
        param.row_samples = samples
    return param


def test_coo_indices_touch_zero_values_included() -> None:
    listing = list_rows(parameter(coo(ENTRIES, torch.Size([6, 2]))), count=True)
    assert listing.rows_R.tolist() == [1, 4]
    assert listing.grad_RD.tolist() == [[0.0, 0.0], [4.0, 0.0]]
    assert listing.counts_R.tolist() == [1, 2]
    assert listing.batch == 3


def test_a_dense_gradient_touches_the_rows_that_are_not_all_zero() -> None:
    listing = list_rows(parameter(dense(ENTRIES, torch.Size([6, 2]))), count=True)
    assert listing.rows_R.tolist() == [4]
    assert listing.grad_RD.tolist() == [[4.0, 0.0]]
    assert listing.counts_R is None


@pytest.mark.parametrize("form", [coo, dense])
def test_row_samples_come_first(form) -> None:
    samples = (torch.tensor([0, 1, 4]), torch.tensor([7, 1, 2]), 9)
    listing = list_rows(parameter(form(ENTRIES, torch.Size([6, 2])), samples), count=True)
    assert listing.rows_R.tolist() == [0, 1, 4]
    assert listing.grad_RD.tolist() == [[0.0, 0.0], [0.0, 0.0], [4.0, 0.0]]
    assert listing.counts_R.tolist() == [7, 1, 2]
    assert listing.batch == 9
    assert touched_rows(parameter(form(ENTRIES, torch.Size([6, 2])), samples)).tolist() == [0, 1, 4]


@pytest.mark.parametrize("form", [coo, dense])
def test_a_gradient_that_row_samples_do_not_list_is_never_dropped(form) -> None:
    grad = form(ENTRIES, torch.Size([6, 2]))
    for rows in ([], [1], [0, 1, 2, 5]):
        samples = (torch.tensor(rows, dtype=torch.int64), torch.ones(len(rows), dtype=torch.int64), 3)
        with pytest.raises(InputError, match=r"it lacks row [14]"):
            list_rows(parameter(grad, samples))
    for rows in ([4, 1], [1, 1, 4]):
        samples = (torch.tensor(rows), torch.ones(len(rows), dtype=torch.int64), 3)
        with pytest.raises(InputError, match="distinct and ascending"):
            list_rows(parameter(grad, samples))


def test_a_diverged_dense_gradient_is_not_called_a_forgotten_row() -> None:
    samples = (torch.tensor([1]), torch.tensor([1]), 3)
    listing = list_rows(parameter(torch.full((6, 2), torch.nan), samples))
    assert listing.rows_R.tolist() == [1]
    assert listing.grad_RD.isnan().all()


def test_gradients_of_other_layouts_are_refused() -> None:
    elements = torch.eye(6, 2).to_sparse(2)
    with pytest.raises(InputError, match=r"sparse in its first dimension only; make it with grad.to_sparse\(1\)"):
        list_rows(parameter(elements))
    listing = list_rows(parameter(torch.eye(6, 2).to_sparse(1)))
    assert listing.rows_R.tolist() == [0, 1]


@pytest.mark.parametrize("make", [LazyAdam, MaskedAdam, TFSparseAdam, RowClockAdam])
def test_row_samples_serve_one_step_only(make) -> None:
    param = table((6, 2), seed=0)
    optimizer = make([param])
    first = Entries(torch.tensor([1, 4]), torch.ones(2, 2).double())
    give(param, first, "coo")
    optimizer.step()
    assert param.row_samples is None
    give(param, Entries(torch.tensor([2, 3]), torch.ones(2, 2).double()), "coo", counted=False)
    optimizer.step()
    assert optimizer.touched(param).tolist() == [2, 3]
    give(param, first, "coo")
    param.grad = None  # a batch whose gradient never came: its samples must not wait for the next one
    optimizer.step()
    assert param.row_samples is None


def test_touched_and_denominator_are_no_part_of_the_state() -> None:
    param = table((6, 2), seed=0)
    optimizer = LazyAdam([param])
    give(param, Entries(torch.tensor([1, 4]), torch.ones(2, 2).double()), "coo")
    optimizer.step()
    assert set(optimizer.state_dict()["state"][0]) == {"step", "exp_avg", "exp_avg_sq"}
    optimizer.load_state_dict(optimizer.state_dict())
    assert optimizer.touched(param).tolist() == []


# ---------------------------------------------------------------- what row_samples may be

ROWS, ONES = torch.tensor([1, 4]), torch.tensor([1, 1])


@pytest.mark.parametrize("form", [coo, dense])
@pytest.mark.parametrize("make", [LazyAdam, ActiveAdam])
@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ((ROWS, torch.tensor([1, 0]), 3), r"counts = \[1, 0\].*on in 1 sample at least"),
        ((ROWS, torch.tensor([1, 4]), 3), r"counts = \[1, 4\].*the 3 of the batch at most"),
        ((ROWS, ONES, 0), "the 0 of the batch at most"),
        ((ROWS, ONES, -3), "batch = -3.*a whole number"),
        ((ROWS, ONES, 3.0), "batch = 3.0.*a whole number"),
        ((ROWS, ONES, torch.tensor(3)), "batch.*a whole number"),
        (([1, 4], ONES, 3), "rows = 'list'.*two int64 tensors"),
        ((ROWS, [1, 1], 3), "counts = 'list'.*two int64 tensors"),
        ((ROWS.int(), ONES, 3), "rows = 'torch.int32.*two int64 tensors"),
        ((ROWS, ONES.float(), 3), "counts = 'torch.float32.*two int64 tensors"),
        ((ROWS, torch.tensor([1]), 3), r"rows \(2,\), counts \(1,\).*of one length"),
        ((ROWS, torch.tensor(1), 3), r"rows \(2,\), counts \(\).*of one length"),
        ((ROWS[None], ONES[None], 3), r"rows \(1, 2\)"),
        ((torch.tensor([1, 4, 6]), torch.tensor([1, 1, 1]), 3), r"\[1, 4, 6\].*rows 0 to 5"),
        ((torch.tensor([-1, 1, 4]), torch.tensor([1, 1, 1]), 3), r"\[-1, 1, 4\].*rows 0 to 5"),
        ((ROWS, ONES), "'tuple'.*must be"),
        (ROWS, "'Tensor'.*must be"),
    ],
)
def test_row_samples_that_cannot_be_are_refused_before_anything_is_changed(samples, said, make, form) -> None:
    param = parameter(form(ENTRIES, torch.Size([6, 2])), samples)
    optimizer = make([param])
    with pytest.raises(InputError, match=said):
        optimizer.step()
    with pytest.raises(InputError, match=said):
        touched_rows(param)
    assert torch.equal(param, torch.ones(6, 2))
    assert not optimizer.state


def test_a_parameter_with_row_samples_is_saved_and_loaded(tmp_path) -> None:
    param = parameter(None)
    set_row_samples(param, RowSamples(ROWS, ONES, 3))
    torch.save(param, tmp_path / "param.pt")
    assert torch.equal(torch.load(tmp_path / "param.pt", weights_only=True), param)


# ---------------------------------------------------------------- what needs counts


@pytest.mark.parametrize(
    "build",
    [
        lambda p: ActiveAdam([p]),
        lambda p: LazyAdam([p], row_accumulate=2),
        lambda p: TFSparseAdam([p], row_accumulate=2),
    ],
)
def test_counts_are_never_a_silent_one(build) -> None:
    counted = parameter(coo(ENTRIES, torch.Size([6, 2])))
    build(counted).step()
    for grad in (coo(ENTRIES, torch.Size([6, 2])).coalesce(), dense(ENTRIES, torch.Size([6, 2]))):
        param = parameter(grad)
        with pytest.raises(InputError, match=r"how many samples .*row_samples = .*count_rows"):
            build(param).step()
        assert torch.equal(param, torch.ones(6, 2))
        param.row_samples = (torch.tensor([1, 4]), torch.tensor([1, 2]), 3)
        build(param).step()
        assert torch.equal(param, counted)


def test_a_gradient_of_one_entry_counts_as_coalesced() -> None:
    one = coo(Entries(torch.tensor([4]), torch.ones(1, 2)), torch.Size([6, 2]))
    with pytest.raises(InputError, match="count_rows"):
        ActiveAdam([parameter(one)]).step()
    optimizer = ActiveAdam(
        [nothing := parameter(coo(Entries(torch.zeros(0).long(), torch.zeros(0, 2)), torch.Size([6, 2])))]
    )
    optimizer.step()
    assert optimizer.state[nothing]["step"] == 1
