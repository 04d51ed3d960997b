"""row_update, in torch and compiled: its formula, and its promise that a row's bits depend on the row alone."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from spadam.kernels import cpu, reference

BETA1, BETA2, LR, EPS = 0.9, 0.999, 1e-2, 1e-3


twins = pytest.mark.parametrize("kernels", [reference, cpu], ids=["reference", "compiled"])


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


def update(kernels, a: Arrays, rows: Tensor | None = None, grad: Tensor | None = None, **options) -> Arrays:
    """A copy of the arrays after one update of the rows (by default those chosen)."""
    out = Arrays(a.w.clone(), a.m.clone(), a.v.clone(), a.rows, a.grad)
    options = {"beta1": BETA1, "beta2": BETA2, "step_size": LR, "eps": EPS, **options}
    kernels.row_update(
        out.w, out.m, out.v, a.rows if rows is None else rows, a.grad if grad is None else grad, **options
    )
    return out


@twins
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("second", ["element", "row"])
@pytest.mark.parametrize(("rows", "features", "listed"), [(1, 1, 1), (9, 5, 0), (9, 5, 1), (9, 5, 4), (400, 784, 330)])
def test_one_step_is_the_formula(kernels, rows, features, listed, second, dtype) -> None:
    a = arrays(rows, features, listed, dtype=dtype, second=second)
    per_row = torch.linspace(0.1, 1, listed, dtype=dtype)[:, None]
    got = update(kernels, a, step_size=LR * per_row, eps=EPS / (1 + per_row), decay1=per_row, decay2=1 - per_row / 2)

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


@twins
def test_without_a_first_moment_and_with_a_gain_it_is_adagrad(kernels) -> None:
    a = arrays(6, 4, 3, dtype=torch.float64)
    w, total = a.w.clone(), a.v.clone()
    kernels.row_update(w, None, total, a.rows, a.grad, beta1=0.0, beta2=1.0, gain2=1.0, step_size=LR, eps=EPS)
    want = a.v[a.rows] + a.grad**2
    assert torch.equal(total[a.rows], want)
    torch.testing.assert_close(w[a.rows], a.w[a.rows] - LR * a.grad / (want.sqrt() + EPS), atol=1e-15, rtol=0)


@twins
def test_all_rows_may_be_listed_or_named_by_none(kernels) -> None:
    a = arrays(300, 784, 300)
    everything = update(kernels, a)
    out = Arrays(a.w.clone(), a.m.clone(), a.v.clone(), a.rows, a.grad)
    kernels.row_update(out.w, out.m, out.v, None, a.grad, beta1=BETA1, beta2=BETA2, step_size=LR, eps=EPS)
    assert all(torch.equal(x, y) for x, y in zip(out[:3], everything[:3], strict=True))


@twins
@pytest.mark.parametrize("second", ["element", "row"])
@pytest.mark.parametrize("listed", [0, 1, 40, 300])
def test_the_rest_is_updated_with_a_gradient_of_zero(kernels, listed, second) -> None:
    a = arrays(300, 784, listed, second=second)
    a.m[::3] = -0.0
    got = update(kernels, a, rest=True)
    want = update(kernels, a, torch.arange(300), torch.zeros(300, 784).index_copy_(0, a.rows, a.grad))
    for x, y in zip(got[:3], want[:3], strict=True):
        assert torch.equal(x.view(torch.int32), y.view(torch.int32))  # the sign of a zero too


@twins
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("second", ["element", "row"])
@pytest.mark.parametrize("features", [1, 2, 3, 7, 16, 33, 784, 40001])
def test_the_bits_of_a_row_do_not_depend_on_the_rows_beside_it(kernels, features, second, threads) -> None:
    listed = 5 if features > 1000 else 23
    a = arrays(2 * listed, features, listed, second=second, seed=features)
    a.v.zero_()  # so that no rounding hides the last bits of g²
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = update(kernels, a, beta2=0.5)
        for start, stop in [*((i, i + 1) for i in range(listed)), (1, 4), (0, listed // 2), (2, listed)]:
            apart = update(kernels, a, a.rows[start:stop], a.grad[start:stop], beta2=0.5)
            rows = a.rows[start:stop]
            for x, y in zip(apart[:3], together[:3], strict=True):
                assert torch.equal(x[rows], y[rows])
    finally:
        torch.set_num_threads(before)


def test_roots_are_rounded_correctly() -> None:
    """The root in float64, rounded, is that: a root of 24 bits is never so near to the middle of two."""
    x = torch.rand(100_000, generator=torch.Generator().manual_seed(0)) * 10
    assert torch.equal(reference.root(x), x.double().sqrt().float())
    odd = reference.root(torch.tensor([0.0, -0.0, -1.0, float("inf"), float("nan")]))
    assert odd.tolist()[:2] == [0.0, 0.0]
    assert odd.isnan().tolist() == [False, False, True, False, True]
