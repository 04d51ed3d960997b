"""What becomes of rows that stay silent: decay that is put off, and how far they swing when they come."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from spadam.optim import LazyAdam, MaskedAdam, RMSprop, RowClockAdam, SelectiveAdam, TFSparseAdam
from support.row_streams import Entries, give, run, stream, table

EPS = 1e-3


@pytest.mark.parametrize("place", ["after", "hat"])
def test_deferred_decay_equals_the_decay_done_step_by_step(place) -> None:
    """Long silences, betas that change on the way, and a look at what is saved in between."""
    grads = stream((40, 3), 400, seed=15)
    grads = [Entries(e.rows[:2], e.values[:2]) for e in grads]  # a row is silent for about 20 steps
    param = table((40, 3), seed=16)
    m, v, w = torch.zeros(40, 3).double(), torch.zeros(40, 3).double(), param.detach().clone()
    optimizer = MaskedAdam([param], lr=1e-2, betas=(0.9, 0.99), eps=EPS, epsilon=place)
    betas = (0.9, 0.99)
    for t, entries in enumerate(grads, 1):
        if t == 150:
            betas = optimizer.param_groups[0]["betas"] = (0.8, 0.999)
        give(param, entries, "coo")
        optimizer.step()
        m, v = betas[0] * m, betas[1] * v
        g = torch.zeros_like(w).index_add_(0, *entries)
        m, v = m + (1 - betas[0]) * g, v + (1 - betas[1]) * g**2
        c1, c2 = (1 - beta**t for beta in betas)
        if place == "after":
            step = 1e-2 * (m / c1) / ((v / c2).sqrt() + EPS)
        else:
            step = 1e-2 * math.sqrt(c2) / c1 * m / (v.sqrt() + EPS)
        w[entries.rows.unique()] -= step[entries.rows.unique()]
        torch.testing.assert_close(param.detach(), w, rtol=0, atol=1e-12)
        if t in (100, 300):
            state = optimizer.state_dict()["state"][0]
            silent = (t - state["last_step"]).double()[:, None]
            torch.testing.assert_close(state["exp_avg"] * betas[0] ** silent, m, rtol=0, atol=1e-12)
            torch.testing.assert_close(state["exp_avg_sq"] * betas[1] ** silent, v, rtol=0, atol=1e-12)


@pytest.mark.parametrize("make", [MaskedAdam, RMSprop])
def test_saving_changes_no_bit_of_what_follows_nor_of_what_is_resumed(make) -> None:
    grads = [Entries(e.rows[:2], e.values[:2]) for e in stream((40, 3), 60, seed=15, dtype=torch.float32)]
    plain, saved, resumed = (table((40, 3), seed=16, dtype=torch.float32) for _ in range(3))
    run(make([plain]), plain, grads)
    optimizer, heir = make([saved]), make([resumed])
    for t, entries in enumerate(grads):
        give(saved, entries, "coo")
        optimizer.step()
        if t % 7 == 3:
            state = copy.deepcopy(optimizer.state_dict())
        if t == 38:
            resumed.data.copy_(saved.data)
            heir.load_state_dict(state)
    run(heir, resumed, grads[39:])
    assert torch.equal(saved, plain)
    assert torch.equal(resumed, plain)


def test_a_changed_factor_brings_every_table_of_the_group_up_to_date() -> None:
    """One that has no gradient in the step of the change as well; a state of before goes on with the old factors."""
    first, second, twin = (table((4, 2), seed=17) for _ in range(3))
    optimizer, ones = MaskedAdam([first, second]), torch.ones(4, 2).double()
    for rows in ([0, 1, 2, 3], [1], [1]):
        for param in (first, second):
            give(param, Entries(torch.tensor(rows), ones[: len(rows)]), "coo")
        optimizer.step()
    saved = copy.deepcopy(optimizer.state_dict())
    before = optimizer.state[second]["exp_avg"][0].clone()
    optimizer.param_groups[0]["betas"] = (0.5, 0.999)
    first.grad, second.grad = ones, None
    optimizer.step()
    torch.testing.assert_close(optimizer.state[second]["exp_avg"][0], before * 0.9**2, rtol=1e-15, atol=0)
    assert optimizer.state[second]["last_step"].tolist() == [3] * 4

    saved["state"][1]["betas"] = saved["state"][0]["betas"] = (0.9, 0.999)  # where an older release kept them
    del saved["param_groups"][0]["decayed_with"], saved["param_groups"][0]["optimizer"]
    saved["param_groups"][0]["betas"] = (0.5, 0.999)
    heir = MaskedAdam([twin, table((4, 2), seed=17)])
    heir.load_state_dict(saved)
    twin.grad = ones
    heir.step()
    torch.testing.assert_close(heir.state[twin], optimizer.state[first], rtol=0, atol=0)


def test_deferral_leaves_untouched_moments_alone() -> None:
    param = table((4, 2), seed=17)
    optimizer = MaskedAdam([param])
    for rows in ([0, 1, 2, 3], [1], [1], [1]):
        give(param, Entries(torch.tensor(rows), torch.ones(len(rows), 2).double()), "coo")
        optimizer.step()
    state = optimizer.state[param]
    assert state["last_step"].tolist() == [1, 4, 1, 1]
    optimizer.state_dict()
    assert state["last_step"].tolist() == [1, 4, 1, 1]


@pytest.mark.parametrize("silent", [500, 2000])
def test_how_far_a_late_row_swings(silent: int) -> None:
    """A row first touched after s silent steps, then in every step with the same gradient (default betas, tiny eps)."""
    steps = {}
    for algorithm in (TFSparseAdam, LazyAdam, RowClockAdam, SelectiveAdam):
        param = nn.Parameter(torch.zeros(2, 1, dtype=torch.float64))
        optimizer = algorithm([param], lr=1.0, eps=1e-30)
        ones = torch.ones(2, 1, dtype=torch.float64)
        for _ in range(silent):
            give(param, Entries(torch.tensor([0]), ones[:1]), "coo", counted=False)
            optimizer.step()
        assert param[1] == 0
        path = []
        for _ in range(40):
            give(param, Entries(torch.tensor([0, 1]), ones), "coo", counted=False)
            optimizer.step()
            path.append(float(param[1, 0].detach()))
        steps[algorithm] = [abs(b - a) for a, b in zip([0.0, *path], path, strict=False)]

    root = math.sqrt(1 - 0.999**silent)
    for algorithm in (TFSparseAdam, LazyAdam):  # a global clock, dense or lazy
        assert steps[algorithm][0] == pytest.approx(3.16 * root, rel=2e-3)  # t is s+1 then, and 3.16 is rounded
        assert max(steps[algorithm]) == pytest.approx(6.57 * root, rel=1e-2)  # t is s+12 then
        assert steps[algorithm].index(max(steps[algorithm])) + 1 == pytest.approx(12, abs=1 if silent > 1000 else 2)
    assert steps[RowClockAdam] == pytest.approx([1.0] * 40, rel=1e-9)  # a constant gradient moves it by lr
    assert steps[SelectiveAdam][0] == pytest.approx(3.1623, rel=1e-4)
    assert max(steps[SelectiveAdam]) == pytest.approx(6.57, rel=1e-3)
    assert steps[SelectiveAdam].index(max(steps[SelectiveAdam])) + 1 == 12
