"""Adagrad and RMSprop against torch's, step by step, in float64 (1e-13: a hundred roundings of numbers near 1)."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from spadam.optim import Adagrad, CustomSpec, RMSprop
from spadam.optim.inspection import view
from support.row_streams import Entries, give, stream, table

SHAPE = (12, 5)


def sparse(shape: tuple[int, ...], steps: int, seed: int) -> list[Entries]:
    """Gradients of few rows, so that rows are silent for long."""
    return [Entries(e.rows[:2], e.values[:2]) for e in stream(shape, steps, seed)]


def compare(ours: Any, theirs: Any, grads: list[Entries], forms: tuple[str, str], states: list[str]) -> None:
    one, two = (table(SHAPE, seed=1) for _ in range(2))
    first, second = ours([one]), theirs([two])
    for number, entries in enumerate(grads):
        if number == len(grads) // 2:
            for optimizer in (first, second):
                optimizer.param_groups[0]["lr"] /= 3
                if "alpha" in optimizer.param_groups[0]:
                    optimizer.param_groups[0]["alpha"] = 0.8
        give(one, entries, forms[0])
        give(two, entries, forms[1])
        first.step()
        second.step()
        torch.testing.assert_close(one.detach(), two.detach(), rtol=0, atol=1e-13)
        assert int(first.state[one]["step"]) == int(second.state[two]["step"])
        if number % 7 == 6:
            state, group = first.state[one], first.param_groups[0]
            silent = (state["step"] - state.get("last_step", state["step"] * torch.ones(SHAPE[0]))).double()[:, None]
            for name in states:
                now = state[name] * group.get("alpha", 1) ** silent
                torch.testing.assert_close(now, second.state[two][name], rtol=1e-12, atol=0)


@pytest.mark.parametrize("forms", [("coo", "coo"), ("coo", "dense"), ("dense", "dense")])
@pytest.mark.parametrize(
    "options",
    [{}, {"lr": 0.3, "lr_decay": 0.1}, {"initial_accumulator_value": 0.5, "eps": 1e-2}, {"lr_decay": 1e-3, "eps": 1.0}],
)
@pytest.mark.filterwarnings("ignore:Sparse invariant checks are implicitly disabled")
def test_adagrad_is_torch_adagrad(options, forms) -> None:
    grads = stream(SHAPE, 30, seed=2) + sparse(SHAPE, 30, seed=3)
    compare(lambda p: Adagrad(p, **options), lambda p: torch.optim.Adagrad(p, **options), grads, forms, ["sum"])


@pytest.mark.parametrize("form", ["coo", "dense"])
@pytest.mark.parametrize("options", [{}, {"lr": 0.1, "alpha": 0.9}, {"eps": 0.1}, {"alpha": 0.0, "eps": 1e-3}])
def test_rmsprop_is_torch_rmsprop(options, form) -> None:
    grads = stream(SHAPE, 30, seed=4) + sparse(SHAPE, 40, seed=5)
    ours, theirs = (lambda p: RMSprop(p, **options)), (lambda p: torch.optim.RMSprop(p, **options))
    compare(ours, theirs, grads, (form, "dense"), ["square_avg"])


def test_defaults_are_those_of_torch() -> None:
    for ours, theirs in ((Adagrad, torch.optim.Adagrad), (RMSprop, torch.optim.RMSprop)):
        mine, torchs = (kind([table(SHAPE, seed=6)]).defaults for kind in (ours, theirs))
        assert {k: torchs[k] for k in mine if k != "row_accumulate"} == {k: mine[k] for k in mine if k in torchs}


@pytest.mark.parametrize(
    ("kind", "options"),
    [(Adagrad, {"lr_decay": -0.1}), (Adagrad, {"initial_accumulator_value": -1.0}), (RMSprop, {"alpha": 1.0})],
)
def test_options_out_of_range_are_refused(kind, options) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        kind([table(SHAPE, seed=7)], **options)


@pytest.mark.parametrize(("name", "centered"), [("Adagrad", False), ("RMSprop", False), ("RMSprop", True)])
def test_torchs_own_can_still_be_named_and_have_denominators(name, centered) -> None:
    options = {"centered": True} if centered else {}
    spec = CustomSpec(path=f"torch.optim.{name}", gradient="dense", lr=0.1, options=options)
    param = table(SHAPE, seed=8)
    optimizer = spec.build([param])
    for entries in stream(SHAPE, 5, seed=9):
        before = param.detach().clone()
        give(param, entries, "dense")
        optimizer.step()
        rows = view(optimizer).touched(param)
        moved = 0.1 * param.grad[rows] / view(optimizer).denominator(param, rows)
        torch.testing.assert_close((before - param.detach())[rows], moved, rtol=1e-9, atol=1e-13)
