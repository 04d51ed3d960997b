"""What a look finds, against loops over elements, optimizers whose formula is known, and whole matrices."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from spadam.diagnostics import weight_updates
from spadam.diagnostics.weight_updates import Change, Kept, compare, eps_bound, keep, update_rms
from spadam.optim import LazyAdam, TFSparseAdam
from spadam.optim.inspection import view

L, D = 9, 5
ROWS = [1, 4, 6, 7]


@pytest.fixture(autouse=True, params=[1, 12, 1 << 17])
def _blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows one by one, two by two, and all at once."""
    monkeypatch.setattr(weight_updates, "_BLOCK", request.param)


def change(seed: int, columns: int = D, eps: float = 0.3) -> Change:
    """Every row may have moved."""
    generator = torch.Generator().manual_seed(seed)
    before = torch.randn(L, D, generator=generator)
    step = torch.randn(L, D, generator=generator) * (torch.rand(L, D, generator=generator) < 0.6)
    denominator = torch.rand(4, columns, generator=generator) + eps
    return Change(Kept(before, None), before + step, torch.tensor(ROWS), denominator, eps)


def held(seed: int, columns: int = D, eps: float = 0.3) -> Change:
    """Only touched rows have moved, and only they were kept."""
    every = change(seed, columns, eps)
    before = every.kept.before_KD
    after = before.index_copy(0, every.rows_R, every.after_LD[every.rows_R])
    return every._replace(kept=Kept(before[every.rows_R], every.rows_R), after_LD=after)


def whole(one: Change) -> Tensor:
    """The matrix before the step."""
    before, rows = one.kept
    return before if rows is None else one.after_LD.index_copy(0, rows, before)


def rms(*changes: Change) -> float:
    return update_rms([compare(one) for one in changes])


def bound(*changes: Change) -> float | None:
    return eps_bound([compare(one) for one in changes])


@pytest.mark.parametrize("make", [change, held])
def test_update_rms_is_over_what_moved(make: Any) -> None:
    changes = [make(0), make(1)]
    steps = [
        float(after) - float(before)
        for c in changes
        for before, after in zip(whole(c).flatten(), c.after_LD.flatten(), strict=True)
        if before != after
    ]
    assert 0 < len(steps) < 2 * L * D
    expected = math.sqrt(sum(s * s for s in steps) / len(steps))
    assert rms(*changes) == pytest.approx(expected, rel=1e-6)  # the differences are float32


@pytest.mark.parametrize("make", [change, held])
@pytest.mark.parametrize("columns", [D, 1])
def test_eps_bound_is_over_moved_elements_of_touched_rows(columns: int, make: Any) -> None:
    changes = [make(2, columns), make(3, columns, eps=0.1)]
    moved = small = 0
    for c in changes:
        before = whole(c)
        for place, row in enumerate(c.rows_R.tolist()):
            for column in range(D):
                if before[row, column] != c.after_LD[row, column]:
                    moved += 1
                    small += c.eps > 0.5 * float(c.denominator_RC[place, column % columns])
    assert 0 < small < moved
    assert bound(*changes) == small / moved


def test_without_eps_nothing_is_bound() -> None:
    free = change(4, eps=0.0)
    assert bound(free) == 0.0
    assert free.denominator_RC is not None
    assert bound(free._replace(denominator_RC=torch.zeros_like(free.denominator_RC))) == 0.0


def test_without_a_denominator_the_metric_is_absent() -> None:
    assert bound(change(5)._replace(denominator_RC=None)) is None
    assert bound(held(5)._replace(denominator_RC=None)) is None
    assert bound() is None
    assert bound(change(5)._replace(denominator_RC=None), change(6)) == bound(change(6))


@pytest.mark.parametrize("make", [change, held])
def test_nothing_moved_is_not_a_number(make: Any) -> None:
    still = make(7)
    still = still._replace(after_LD=whole(still))
    assert math.isnan(rms(still))
    share = bound(still)
    assert share is not None
    assert math.isnan(share)


def test_no_row_touched_is_not_a_number() -> None:
    none = torch.tensor([], dtype=torch.int64)
    weight = torch.ones(L, D)
    nothing = Change(keep(weight, none, all_may_move=False), weight, none, weight[:0], 1.0)
    assert math.isnan(rms(nothing))
    assert math.isnan(bound(nothing) or 0.0)


def test_rows_that_moved_without_a_gradient_are_left_out() -> None:
    c = change(8)
    other = c.after_LD.clone()
    other[[0, 2, 3, 5, 8]] += 1
    assert bound(c._replace(after_LD=other)) == bound(c)
    assert rms(c._replace(after_LD=other)) != rms(c)


@pytest.mark.parametrize(("eps", "share"), [(1e-8, 0.0), (1.0, 1.0), (0.03, 0.5)])
def test_a_step_of_torch_adam(eps: float, share: float) -> None:
    """After one step √v̂ is |g|: half of the elements have 0.01, half 0.1, and the step is lr g / (|g| + eps)."""
    param = torch.nn.Parameter(torch.zeros(L, D, dtype=torch.float64))
    gradient: Tensor = torch.full((L, D), 0.1, dtype=torch.float64)
    gradient[:, 0] = 0.0  # does not move
    gradient[:, 1:3] = 0.01
    kept = keep(param, torch.arange(L), all_may_move=True)
    param.grad = gradient
    torch.optim.Adam([param], lr=0.5, eps=eps).step()
    one = Change(kept, param.detach(), torch.arange(L), gradient.abs() + eps, eps)
    assert bound(one) == share
    expected = math.sqrt(sum((0.5 * g / (g + eps)) ** 2 for g in (0.01, 0.1)) / 2)
    assert rms(one) == pytest.approx(expected, rel=1e-12)  # float64


@pytest.mark.parametrize("algorithm", [LazyAdam, TFSparseAdam])
def test_kept_rows_say_what_whole_matrices_say(algorithm: Any) -> None:
    """Over some steps of an optimizer that holds untouched rows, and of one that moves them."""
    generator, hold = torch.Generator().manual_seed(0), algorithm is LazyAdam
    param = torch.nn.Parameter(torch.randn(L, D, generator=generator))
    optimizer = algorithm([param], lr=0.1, eps=0.3)
    for rows in ([0, 3, 8], [3, 4], [1, 3, 5, 8]):
        rows_R = torch.tensor(rows)
        values = torch.randn(len(rows), D, generator=generator)
        param.grad = torch.sparse_coo_tensor(rows_R[None], values, (L, D), check_invariants=False)
        before = param.detach().clone()
        kept = keep(param, rows_R, all_may_move=not hold)
        optimizer.step()
        seen = view(optimizer)
        one = compare(Change(kept, param.detach(), rows_R, seen.denominator(param, rows_R), 0.3))
        moved = param.detach() != before
        assert one.elements == int(moved.sum())
        assert one.squares == pytest.approx(float((param.detach() - before).double().square().sum()), rel=1e-12)
        assert one.touched == int(moved[rows_R].sum())
        small = seen.denominator(param, rows_R) < 0.6  # type: ignore[operator]
        assert one.bound == int((moved[rows_R] & small).sum())
    assert hold == (len(kept.before_KD) == 4)
