"""Denominators: what the last update divided by, found again from how far the weights moved."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spadam.optim import (
    OPTIMIZERS,
    AdagradSpec,
    AdamSpec,
    AdamWSpec,
    LazyAdam,
    MaskedAdam,
    RMSpropSpec,
    RowClockAdam,
    RowwiseAdam,
)
from spadam.optim.inspection import view
from support.row_streams import Entries, give, run, stream, table

SHAPE = (10, 4)
LR, EPS = 1e-2, 1e-3


def numerator(name: str, optimizer: torch.optim.Optimizer, param: nn.Parameter, options: dict) -> torch.Tensor:
    """What stands above the denominator, of every row, in the formula of the member."""
    state = optimizer.state[param]
    if name in ("adagrad", "rmsprop", "rowwise_adagrad"):
        return param.grad.to_dense()
    step = float(state["step"])
    c1, c2 = 1 - 0.9**step, 1 - 0.999**step
    if "clock" in name or name == "active_adam":
        counts = state["row_step"].clamp(min=1)[:, None].double()
        c1, c2 = 1 - 0.9**counts, 1 - 0.999**counts
    elif name == "selective_adam":
        c1 = c2 = 1.0
    m = state["exp_avg"]
    return m / c1 if options.get("epsilon", "after") == "after" else m * c2**0.5 / c1


@pytest.mark.parametrize("place", ["after", "hat"])
@pytest.mark.parametrize("spec", [s for s in OPTIMIZERS if "eps" in s.model_fields])
def test_the_update_is_lr_times_numerator_over_denominator(spec, place) -> None:
    options = {"epsilon": place} if "epsilon" in spec.model_fields else {}
    name = spec.model_fields["name"].default
    if name == "adamw":
        options["weight_decay"] = 0.0
    param = table(SHAPE, seed=1)
    optimizer = spec(lr=LR, eps=EPS, **options).build([param])
    seen = view(optimizer)
    run(optimizer, param, stream(SHAPE, 12, seed=2), spec.gradient)
    for entries in stream(SHAPE, 6, seed=3):
        before = param.detach().clone()
        give(param, entries, spec.gradient)
        optimizer.step()
        rows = seen.touched(param)
        denominator = seen.denominator(param, rows)
        update = LR * numerator(name, optimizer, param, options)[rows] / denominator
        torch.testing.assert_close((before - param.detach())[rows], update, rtol=1e-9, atol=1e-14)


def test_silent_rows_show_their_state_as_it_stands() -> None:
    grads = [
        Entries(torch.arange(10), torch.ones(SHAPE).double()),
        *[Entries(torch.tensor([3]), torch.ones(1, 4).double())] * 5,
    ]
    masked, lazy, clock = (table(SHAPE, seed=4) for _ in range(3))
    optimizers = {p: kind([p], eps=EPS) for p, kind in ((masked, MaskedAdam), (lazy, LazyAdam), (clock, RowClockAdam))}
    for param, optimizer in optimizers.items():
        run(optimizer, param, grads)
    silent = torch.tensor([0])
    expected = {masked: (0.001 * 0.999**5) ** 0.5 + EPS, lazy: 0.001**0.5 + EPS, clock: 1.0 + EPS}
    for param, value in expected.items():
        got = optimizers[param].denominator(param, silent)
        torch.testing.assert_close(got, torch.full((1, 4), value, dtype=torch.float64), rtol=1e-12, atol=0)


def test_a_row_without_any_update_divides_by_eps() -> None:
    for kind in (LazyAdam, RowClockAdam, MaskedAdam, RowwiseAdam):
        param = table(SHAPE, seed=5)
        optimizer = kind([param], eps=EPS)
        run(optimizer, param, [Entries(torch.tensor([1]), torch.ones(1, 4).double())])
        assert optimizer.denominator(param, torch.tensor([2])).tolist() == [[EPS] * 4]


def test_a_row_wise_denominator_is_one_number_a_row() -> None:
    param = table(SHAPE, seed=6)
    optimizer = RowwiseAdam([param])
    run(optimizer, param, stream(SHAPE, 3, seed=7))
    denominator = optimizer.denominator(param, torch.arange(10))
    assert denominator.shape == SHAPE
    assert (denominator == denominator[:, :1]).all()


@pytest.mark.parametrize("spec", [AdamSpec, AdamWSpec, RMSpropSpec, AdagradSpec])
def test_vectors_have_denominators_too(spec) -> None:
    param = table((7,), seed=8)
    optimizer = spec().build([param])
    run(optimizer, param, stream((7,), 3, seed=9), spec.gradient)
    assert view(optimizer).denominator(param, torch.tensor([2, 5])).shape == (2, 1)
