"""Powers of a beta, one for each row."""

from __future__ import annotations

import math

import pytest
import torch

from spadam.optim import MaskedAdam, RowClockAdam
from spadam.optim.rows import beta_powers
from spadam.optim.rows.beta_powers import power
from support.row_streams import Entries, run, table


@pytest.mark.parametrize("base", [0.0, 0.5, 0.9, 0.999, 0.123456])
def test_powers_are_pythons_own_however_many_are_asked_for(base) -> None:
    exponents = torch.arange(3000)
    want = [base**n for n in range(3000)]
    assert power(base, exponents, 2999).tolist() == want
    for n in (0, 1, 2, 1023, 1024, 2999):
        assert power(base, torch.tensor([[n]]), n).tolist() == [[want[n]]]
    assert power(base, exponents, 2999).dtype is torch.float64


@pytest.mark.parametrize("base", [0.0, 0.9, 0.999, 0.999999, 0.99999999])
def test_powers_by_large_numbers_are_right_to_two_roundings(base) -> None:
    exponents = [0, 1, 4095, 4096, 4097, 200_000, 2**24 - 1, 2**24, 2**24 + 1, 20_000_000]
    found = power(base, torch.tensor(exponents), max(exponents)).tolist()
    for n, value in zip(exponents, found, strict=True):
        assert math.isclose(value, base**n, rel_tol=1e-15, abs_tol=1e-300)
        assert power(base, torch.tensor([n]), max(exponents)).tolist() == [value]  # whatever stands beside it


@pytest.mark.parametrize("make", [MaskedAdam, RowClockAdam])
def test_a_beta_that_moves_at_every_step_costs_as_much_late_as_early(make, monkeypatch) -> None:
    """OneCycleLR moves them; a table of all powers so far took 0.2 s a step at step 200,000, 75 s at 20 million."""
    made: list[int] = []
    real = beta_powers._table.__wrapped__

    def count(base: float, shift: int, device: torch.device) -> torch.Tensor:
        powers: torch.Tensor = real(base, shift, device)
        made.append(len(powers))
        return powers

    param = table((6, 2), seed=1)
    optimizer = make([param])
    grad = Entries(torch.tensor([1, 4]), torch.ones(2, 2).double())
    run(optimizer, param, [grad])
    state = optimizer.state[param]
    state["step"] = 20_000_000
    state["last_step" if make is MaskedAdam else "row_step"][1] = 19_000_000
    monkeypatch.setattr(beta_powers, "_table", count)
    for beta1 in (0.85, 0.86, 0.87):
        optimizer.param_groups[0]["betas"] = (beta1, 0.999)
        run(optimizer, param, [grad])
    assert 0 < sum(made) <= 3 * 4 * 3 * 4096
    assert param.isfinite().all()
