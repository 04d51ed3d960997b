"""The number that stands for a row: the same in compiled loops and torch operations, another after any change."""

import pytest
import torch

from spadam.kernels import cpu, reference


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [None, [0, 3, 4], []])
def test_both_kernels_give_it_alike(dtype: torch.dtype, rows: list[int] | None) -> None:
    source = torch.randn(7, 33, generator=torch.Generator().manual_seed(0)).to(dtype)
    source[3, 5], source[4, 6] = torch.nan, -0.0
    listed = None if rows is None else torch.tensor(rows, dtype=torch.int64)
    found = cpu.row_checks(source, listed)
    assert torch.equal(found, reference.row_checks(source, listed) if rows != [] else found)
    assert found.shape == (7 if rows is None else len(rows),)


def test_any_number_that_changes_shows() -> None:
    source = torch.randn(5, 17, generator=torch.Generator().manual_seed(1))
    before = cpu.row_checks(source, None)
    for n in range(5):
        for d in range(17):
            other = source.clone()
            other.view(torch.int32)[n, d] ^= 1
            assert (cpu.row_checks(other, None) != before).nonzero().tolist() == [[n]]
    assert not torch.equal(cpu.row_checks(source.flip(1), None), before)
    assert not torch.equal(cpu.row_checks(-torch.zeros(1, 3), None), cpu.row_checks(torch.zeros(1, 3), None))
