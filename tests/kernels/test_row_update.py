"""row_update against its formula, and its promise that a row's bits depend on the row alone."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from spadam.kernels import reference

BETA1, BETA2, LR, EPS = 0.9, 0.999, 1e-2, 1e-3


class Arrays(NamedTuple):
    w: Tensor
    m: Tensor
    v: Tensor
    rows: Tensor
    grad: Tensor


def arrays(rows: int, features: int, listed: int, *, dtype=torch.float32, second="element", seed=0) -> Arrays:
    generator = torch.Generator().manual_seed(seed)
    w, m = (torch.randn(rows, features, generator=generator, dtype=dtype) for _ in range(2))
    v = torch.rand(rows, features if second == "element" else 1, generator=generator, dtype=dtype)
    chosen = torch.randperm(rows, generator=generator)[:listed].sort()[0]
    return Arrays(w, m, v, chosen, torch.randn(listed, features, generator=generator, dtype=dtype))


def update(a: Arrays, rows: Tensor | None = None, grad: Tensor | None = None, **options) -> Arrays:
    """A copy of the arrays after one update of the rows (by default those chosen)."""
    out = Arrays(a.w.clone(), a.m.clone(), a.v.clone(), a.rows, a.grad)
    options = {"beta1": BETA1, "beta2": BETA2, "step_size": LR, "eps": EPS, **options}
    reference.row_update(
        out.w, out.m, out.v, a.rows if rows is None else rows, a.grad if grad is None else grad, **options
    )
    return out


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("second", ["element", "row"])
@pytest.mark.parametrize(("rows", "features", "listed"), [(1, 1, 1), (9, 5, 0), (9, 5, 1), (9, 5, 4), (400, 784, 330)])
def test_one_step_is_the_formula(rows, features, listed, second, dtype) -> None:
    a = arrays(rows, features, listed, dtype=dtype, second=second)
    per_row = torch.linspace(0.1, 1, listed, dtype=dtype)[:, None]
    got = update(a, step_size=LR * per_row, eps=EPS / (1 + per_row), decay1=per_row, decay2=1 - per_row / 2)

    want = Arrays(*(x.double() for x in (a.w, a.m, a.v)), a.rows, a.grad.double())
    k = per_row.double()
    for i, row in enumerate(a.rows.tolist()):
        g, square = want.grad[i], want.grad[i] ** 2
        want.m[row] = BETA1 * k[i] * want.m[row] + (1 - BETA1) * g
        new = square if second == "element" else square.mean()
        want.v[row] = BETA2 * (1 - k[i] / 2) * want.v[row] + (1 - BETA2) * new
        want.w[row] -= LR * k[i] * want.m[row] / (want.v[row].sqrt() + EPS / (1 + k[i]))
    tolerance = 1e-14 if dtype is torch.float64 else 4e-6  # a few roundings of numbers below 10
    for x, y in zip(got[:3], want[:3], strict=True):
        assert x.dtype is dtype
        torch.testing.assert_close(x.double(), y, atol=tolerance, rtol=0)
    untouched = torch.ones(rows, dtype=torch.bool)
    untouched[a.rows] = False
    for x, y in zip(got[:3], a[:3], strict=True):
        assert torch.equal(x[untouched], y[untouched])


def test_without_a_first_moment_and_with_a_gain_it_is_adagrad() -> None:
    a = arrays(6, 4, 3, dtype=torch.float64)
    w, total = a.w.clone(), a.v.clone()
    reference.row_update(w, None, total, a.rows, a.grad, beta1=0.0, beta2=1.0, gain2=1.0, step_size=LR, eps=EPS)
    want = a.v[a.rows] + a.grad**2
    assert torch.equal(total[a.rows], want)
    torch.testing.assert_close(w[a.rows], a.w[a.rows] - LR * a.grad / (want.sqrt() + EPS), atol=1e-15, rtol=0)


def test_all_rows_may_be_listed_or_named_by_none() -> None:
    a = arrays(300, 784, 300)
    everything = update(a)
    out = Arrays(a.w.clone(), a.m.clone(), a.v.clone(), a.rows, a.grad)
    reference.row_update(out.w, out.m, out.v, None, a.grad, beta1=BETA1, beta2=BETA2, step_size=LR, eps=EPS)
    assert all(torch.equal(x, y) for x, y in zip(out[:3], everything[:3], strict=True))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("second", ["element", "row"])
@pytest.mark.parametrize("features", [1, 2, 3, 7, 16, 33, 784, 40001])
def test_the_bits_of_a_row_do_not_depend_on_the_rows_beside_it(features, second, threads) -> None:
    listed = 5 if features > 1000 else 23
    a = arrays(2 * listed, features, listed, second=second, seed=features)
    a.v.zero_()  # so that no rounding hides the last bits of g²
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = update(a, beta2=0.5)
        for start, stop in [*((i, i + 1) for i in range(listed)), (1, 4), (0, listed // 2), (2, listed)]:
            apart = update(a, a.rows[start:stop], a.grad[start:stop], beta2=0.5)
            rows = a.rows[start:stop]
            for x, y in zip(apart[:3], together[:3], strict=True):
                assert torch.equal(x[rows], y[rows])
    finally:
        torch.set_num_threads(before)
