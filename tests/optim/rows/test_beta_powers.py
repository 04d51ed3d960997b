"""Powers of a beta, one for each row."""

from __future__ import annotations

import pytest
import torch

from spadam.optim.rows.beta_powers import power


@pytest.mark.parametrize("base", [0.0, 0.5, 0.9, 0.999, 0.123456])
def test_powers_are_pythons_own_however_many_are_asked_for(base) -> None:
    exponents = torch.arange(3000)
    want = [base**n for n in range(3000)]
    assert power(base, exponents, 2999).tolist() == want
    for n in (0, 1, 2, 1023, 1024, 2999):
        assert power(base, torch.tensor([[n]]), n).tolist() == [[want[n]]]
    assert power(base, exponents, 2999).dtype is torch.float64
