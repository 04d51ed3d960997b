"""update_rms and eps_bound against loops over elements, and against optimizers whose formula is known."""

import math

import pytest
import torch
from torch import Tensor

from spadam.diagnostics.updates import Change, eps_bound, update_rms

L, D = 9, 5


def change(seed: int, columns: int = D, eps: float = 0.3) -> Change:
    generator = torch.Generator().manual_seed(seed)
    before = torch.randn(L, D, generator=generator)
    step = torch.randn(L, D, generator=generator) * (torch.rand(L, D, generator=generator) < 0.6)
    rows = torch.tensor([1, 4, 6, 7])
    return Change(before, before + step, rows, torch.rand(4, columns, generator=generator) + eps, eps)


def test_update_rms_is_over_what_moved() -> None:
    changes = [change(0), change(1)]
    steps = [
        float(after) - float(before)
        for c in changes
        for before, after in zip(c.before_LD.flatten(), c.after_LD.flatten(), strict=True)
        if before != after
    ]
    assert 0 < len(steps) < 2 * L * D
    expected = math.sqrt(sum(s * s for s in steps) / len(steps))
    assert update_rms(changes) == pytest.approx(expected, rel=1e-6)  # the differences are float32


@pytest.mark.parametrize("columns", [D, 1])
def test_eps_bound_is_over_moved_elements_of_touched_rows(columns: int) -> None:
    changes = [change(2, columns), change(3, columns, eps=0.1)]
    moved = bound = 0
    for c in changes:
        assert c.denominator_RC is not None
        for place, row in enumerate(c.rows_R.tolist()):
            for column in range(D):
                if c.before_LD[row, column] != c.after_LD[row, column]:
                    moved += 1
                    denominator = float(c.denominator_RC[place, column % columns])
                    bound += c.eps > 0.5 * denominator
    assert 0 < bound < moved
    assert eps_bound(changes) == bound / moved


def test_without_eps_nothing_is_bound() -> None:
    free = change(4, eps=0.0)
    assert eps_bound([free]) == 0.0
    assert free.denominator_RC is not None
    assert eps_bound([free._replace(denominator_RC=torch.zeros_like(free.denominator_RC))]) == 0.0


def test_without_a_denominator_the_metric_is_absent() -> None:
    assert eps_bound([change(5)._replace(denominator_RC=None)]) is None
    assert eps_bound([]) is None
    assert eps_bound([change(5)._replace(denominator_RC=None), change(6)]) == eps_bound([change(6)])


def test_nothing_moved_is_not_a_number() -> None:
    still = change(7)
    still = still._replace(after_LD=still.before_LD)
    assert math.isnan(update_rms([still]))
    bound = eps_bound([still])
    assert bound is not None
    assert math.isnan(bound)


def test_rows_that_moved_without_a_gradient_are_left_out() -> None:
    c = change(8)
    other = c.after_LD.clone()
    other[[0, 2, 3, 5, 8]] += 1
    assert eps_bound([c._replace(after_LD=other)]) == eps_bound([c])
    assert update_rms([c._replace(after_LD=other)]) != update_rms([c])


@pytest.mark.parametrize(("eps", "share"), [(1e-8, 0.0), (1.0, 1.0), (0.03, 0.5)])
def test_a_step_of_torch_adam(eps: float, share: float) -> None:
    """After one step √v̂ is |g|: half of the elements have 0.01, half 0.1, and the step is lr g / (|g| + eps)."""
    param = torch.nn.Parameter(torch.zeros(L, D, dtype=torch.float64))
    gradient: Tensor = torch.full((L, D), 0.1, dtype=torch.float64)
    gradient[:, 0] = 0.0  # does not move
    gradient[:, 1:3] = 0.01
    before = param.detach().clone()
    param.grad = gradient
    torch.optim.Adam([param], lr=0.5, eps=eps).step()
    one = Change(before, param.detach(), torch.arange(L), gradient.abs() + eps, eps)
    assert eps_bound([one]) == share
    expected = math.sqrt(sum((0.5 * g / (g + eps)) ** 2 for g in (0.01, 0.1)) / 2)
    assert update_rms([one]) == pytest.approx(expected, rel=1e-12)  # float64
