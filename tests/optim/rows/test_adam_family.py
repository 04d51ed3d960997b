"""What distinguishes the points of the family, and where they must be one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from spadam.optim import (
    OPTIMIZERS,
    ActiveAdam,
    LazyAdam,
    MaskedAdam,
    RowClockAdam,
    RowSamples,
    RowwiseAdam,
    SelectiveAdam,
    TFSparseAdam,
)
from spadam.spec import imported
from support.row_streams import Entries, every_row, give, run, stream, table

SHAPE = (12, 5)
BETAS = (0.9, 0.999)
EPS = 1e-3

# ---------------------------------------------------------------- equal by construction, to the last bit


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("epsilon", ["after", "hat"])
@pytest.mark.parametrize("shape", [SHAPE, (180, 784), (40,)])
def test_with_every_row_touched_the_global_clocks_are_one(shape, epsilon, dtype) -> None:
    grads = every_row(shape, 4, seed=1, dtype=dtype)
    paths = []
    for algorithm in (TFSparseAdam, MaskedAdam, LazyAdam):
        param = table(shape, seed=2, dtype=dtype)
        paths.append(run(algorithm([param], lr=1e-2, eps=EPS, epsilon=epsilon), param, grads))
    assert torch.equal(paths[0], paths[1])
    assert torch.equal(paths[0], paths[2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_with_every_row_touched_the_row_clock_is_adam(dtype) -> None:
    grads = every_row(SHAPE, 40, seed=3, dtype=dtype)
    rows, adam, torch_adam = (table(SHAPE, seed=4, dtype=dtype) for _ in range(3))
    path = run(RowClockAdam([rows], lr=1e-2, eps=EPS), rows, grads)
    assert torch.equal(path, run(TFSparseAdam([adam], lr=1e-2, eps=EPS, epsilon="after"), adam, grads))
    native = run(torch.optim.Adam([torch_adam], lr=1e-2, eps=EPS), torch_adam, grads, "dense")
    # 40 steps of about 1e-2, each rounded a few times at the size of the weights
    torch.testing.assert_close(path, native, rtol=0, atol=1e-14 if dtype is torch.float64 else 4e-6)


def test_row_clock_and_global_clock_agree_for_long() -> None:
    """A root that is off in its last bit would show: MKL's is, in one of a hundred."""
    grads = every_row((3, 2), 600, seed=15)
    rows, adam = (table((3, 2), seed=16) for _ in range(2))
    options = {"lr": 1.0, "betas": (0.9, 0.99)}
    path = run(RowClockAdam([rows], epsilon="hat", **options), rows, grads)
    assert torch.equal(path, run(LazyAdam([adam], **options), adam, grads))


def test_with_every_row_on_in_every_sample_active_is_row_clock() -> None:
    rows, active = (table(SHAPE, seed=5) for _ in range(2))
    clock, mean = RowClockAdam([rows], lr=1e-2), ActiveAdam([active], lr=1e-2)
    for entries in every_row(SHAPE, 10, seed=6):
        for param, optimizer in ((rows, clock), (active, mean)):
            give(param, entries, "coo", counted=False)
            param.row_samples = RowSamples(entries.rows, torch.full((SHAPE[0],), 100), 100)
            optimizer.step()
        assert torch.equal(rows, active)


def _members_with_eps() -> list[tuple[str, dict[str, Any], str]]:
    out = []
    for spec in OPTIMIZERS:
        name = spec.model_fields["name"].default
        if "eps" in spec.model_fields:
            places = ("after", "hat") if "epsilon" in spec.model_fields else (None,)
            out += [(name, {} if place is None else {"epsilon": place}, spec.gradient) for place in places]
    return out


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "options", "form"), _members_with_eps())
def test_loss_and_eps_times_a_power_of_two_change_nothing(name, options, form, dtype) -> None:
    spec = next(s for s in OPTIMIZERS if s.model_fields["name"].default == name)
    plain, scaled = (table(SHAPE, seed=7, dtype=dtype) for _ in range(2))
    grads = stream(SHAPE, 30, seed=8, dtype=dtype)
    larger = [Entries(e.rows, e.values * 2.0**10) for e in grads]
    path = run(spec(lr=1e-2, eps=EPS, **options).build([plain]), plain, grads, form)
    again = run(spec(lr=1e-2, eps=EPS * 2.0**10, **options).build([scaled]), scaled, larger, form)
    assert torch.equal(path, again)
    wrong = table(SHAPE, seed=7, dtype=dtype)
    assert not torch.equal(path, run(spec(lr=1e-2, eps=EPS, **options).build([wrong]), wrong, larger, form))


# ---------------------------------------------------------------- the axes


def _plain(name: str, grads: list[Entries], start: Tensor, lr: float, eps: float, place: str) -> Tensor:
    """The family written out with dense masks, one step after the other, in float64."""
    beta1, beta2 = BETAS
    w, m = start.clone(), torch.zeros_like(start)
    v = torch.zeros_like(start)
    updates = torch.zeros(len(start), 1, dtype=start.dtype)
    out = []
    for t, (rows, values) in enumerate(grads, 1):
        g = torch.zeros_like(start).index_add_(0, rows, values)
        touched = torch.zeros(len(start), 1, dtype=torch.bool)
        touched[rows] = True
        counts = torch.bincount(rows, minlength=len(start)).clamp(min=1)[:, None]
        if name == "active_adam":
            g = g * len(rows) / counts
        updates += touched
        square = g**2 if name != "rowwise_adam" else (g**2).mean(1, keepdim=True).expand_as(g)
        moments = touched | torch.tensor(name in ("tf_sparse_adam", "masked_adam"))
        m = torch.where(moments, beta1 * m + (1 - beta1) * g, m)
        v = torch.where(moments, beta2 * v + (1 - beta2) * square, v)
        if name in ("row_clock_adam", "active_adam"):
            c1, c2 = 1 - beta1 ** updates.clamp(min=1), 1 - beta2 ** updates.clamp(min=1)
        elif name == "selective_adam":
            c1 = c2 = torch.ones(1, 1, dtype=start.dtype)
        else:
            c1, c2 = (torch.full((1, 1), 1 - beta**t, dtype=start.dtype) for beta in BETAS)
        if place == "after":
            step = lr * (m / c1) / ((v / c2).sqrt() + eps)
        else:
            step = lr * c2.sqrt() / c1 * m / (v.sqrt() + eps)
        w = torch.where(touched | torch.tensor(name == "tf_sparse_adam"), w - step, w)
        out.append(w.clone())
    return torch.stack(out)


@pytest.mark.parametrize("place", ["after", "hat"])
@pytest.mark.parametrize(
    "algorithm", [TFSparseAdam, MaskedAdam, LazyAdam, RowClockAdam, SelectiveAdam, RowwiseAdam, ActiveAdam]
)
def test_every_point_equals_its_formula_written_out(algorithm, place) -> None:
    names = {imported(s.algorithm): s.model_fields["name"].default for s in OPTIMIZERS if hasattr(s, "algorithm")}
    grads = stream(SHAPE, 60, seed=9)
    param = table(SHAPE, seed=10)
    want = _plain(names[algorithm], grads, param.detach().clone(), 1e-2, EPS, place)
    got = run(algorithm([param], lr=1e-2, betas=BETAS, eps=EPS, epsilon=place), param, grads)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)  # the tolerance asked of float64 throughout


def test_without_a_clock_the_place_of_epsilon_makes_no_difference() -> None:
    grads = stream(SHAPE, 20, seed=11)
    after, hat = (table(SHAPE, seed=12) for _ in range(2))
    assert torch.equal(
        run(SelectiveAdam([after], eps=EPS, epsilon="after"), after, grads),
        run(SelectiveAdam([hat], eps=EPS, epsilon="hat"), hat, grads),
    )


def test_rowwise_second_moment_of_a_vector_is_elementwise() -> None:
    grads = stream((9,), 20, seed=13)
    row, element = (table((9,), seed=14) for _ in range(2))
    assert torch.equal(
        run(RowwiseAdam([row], epsilon="hat"), row, grads), run(LazyAdam([element], epsilon="hat"), element, grads)
    )
