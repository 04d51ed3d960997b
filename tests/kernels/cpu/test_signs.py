"""The compiled sign step, and steps within schedule-free averaging, against their twins: the same bits."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import Tensor

from spadam.kernels import cpu, reference
from spadam.kernels.cpu import rows
from spadam.kernels.reference import Average

BITS = {torch.float32: torch.int32, torch.float64: torch.int64}
ODD = [0.0, -0.0, 1e-45, -3e-39, 1e-23, 1e30, float("inf"), -float("inf"), float("nan")]


class Case:
    """The arguments of random calls: a parameter, its moments, lag and leads, the rows listed, and a gradient."""

    def __init__(self, seed: int) -> None:
        draw = self._draw = random.Random(seed)
        self.dtype, self.odd = draw.choice([torch.float32, torch.float64]), draw.random() < 0.3
        features, length = draw.choice([1, 2, 3, 7, 16, 33, 784]), draw.choice([1, 2, 9, 400])
        listed = draw.choice([length, 1, 0, draw.randint(0, length)])
        everyone = listed == length and draw.random() < 0.5
        self.rows = None if everyone else torch.tensor(draw.sample(range(length), listed), dtype=torch.int64)
        self.param, self.m, self.v, self.lag = (self._numbers(length, features) for _ in range(4))
        self.v, self.lead = self.v.abs(), self._numbers(length, 1)
        self.grad = self._numbers(listed, features)
        self.averaged, self.moments = draw.random() < 0.7, draw.random() < 0.5
        self.number, self.weight, self.next = 10.0 ** draw.uniform(-5, 1), draw.random(), draw.random()

    def _numbers(self, *shape: int) -> Tensor:
        generator = torch.Generator().manual_seed(self._draw.getrandbits(32))
        out = torch.randn(*shape, generator=generator, dtype=self.dtype) * 10.0 ** self._draw.randint(-9, 3)
        if self.odd:
            places = torch.rand(shape, generator=generator) < 0.2
            out[places] = torch.tensor(self._draw.choices(ODD, k=int(places.sum())), dtype=self.dtype)
        return out

    def after(self, what: str, kernels: Any) -> list[Tensor]:
        param, m, v, lag, lead = (x.clone() for x in (self.param, self.m, self.v, self.lag, self.lead))
        average = Average(lag, lead, self.weight, self.next) if self.averaged else None
        if what == "sign":
            kernels.sign_update(param, self.rows, self.grad, self.number, average)
        else:
            options = {"beta1": 0.9, "beta2": 0.99, "step_size": self.number, "eps": 1e-3, "average": average}
            kernels.row_update(param, m if self.moments else None, v, self.rows, self.grad, **options)
        return [param, m, v, lag, lead]


def assert_same(got: list[Tensor], want: list[Tensor]) -> None:
    for x, y in zip(got, want, strict=True):
        assert x.dtype is y.dtype
        assert torch.equal(x.isnan(), y.isnan())
        if x.dtype in BITS:
            assert ((x.view(BITS[x.dtype]) == y.view(BITS[y.dtype])) | y.isnan()).all()  # of NaN there are many


@pytest.mark.parametrize("seed", range(150))
@pytest.mark.parametrize("what", ["sign", "adam"])
def test_the_bits_are_those_of_the_reference(what: str, seed: int) -> None:
    case = Case(seed)
    assert_same(case.after(what, cpu), case.after(what, reference))


twins = pytest.mark.parametrize("kernels", [reference, cpu], ids=["reference", "compiled"])


@twins
def test_a_sign_step_moves_by_the_step_size_and_no_further(kernels: Any) -> None:
    param = torch.zeros(4, 3, dtype=torch.float64)
    grad = torch.tensor([[1e-300, -5.0, 0.0], [-0.0, float("inf"), float("nan")]], dtype=torch.float64)
    kernels.sign_update(param, torch.tensor([3, 1]), grad, 0.25)
    assert param[3].tolist() == [-0.25, 0.25, 0.0]
    assert param[1, 0] == 0.0
    assert param[1, 1:].isnan().all()
    assert (param[[0, 2]] == 0).all()


@twins
def test_within_an_average_it_is_z_that_steps(kernels: Any) -> None:
    """z = y - lead lag; after a step s: lag - weight s, and y = z + s + lead' (lag - weight s); other rows hold."""
    y, lag = (torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(s)) for s in (1, 2))
    lead = torch.linspace(0, 1, 5, dtype=torch.float64)[:, None].clone()
    listed, param, lags, leads = torch.tensor([0, 2, 3]), y.clone(), lag.clone(), lead.clone()
    grad = torch.ones(3, 4, dtype=torch.float64)
    kernels.sign_update(param, listed, grad, 0.5, Average(lags, leads, 3.0, 0.7))
    z, new = (y - lead * lag)[listed] - 0.5, lag[listed] + 3.0 * 0.5
    torch.testing.assert_close(lags[listed], new, rtol=0, atol=1e-14)
    torch.testing.assert_close(param[listed], z + 0.7 * new, rtol=0, atol=1e-14)
    assert (leads[listed] == 0.7).all()
    for new_LD, old_LD in ((param, y), (lags, lag), (leads, lead)):
        assert torch.equal(new_LD[[1, 4]], old_LD[[1, 4]])


def _turned(x: Tensor) -> Tensor:
    return x.t().contiguous().t()


@pytest.mark.parametrize("what", ["sign", "adam"])
@pytest.mark.parametrize(
    ("name", "change", "compiled"),
    [
        ("param", lambda x: x, True),
        ("grad", _turned, True),  # it may be copied
        ("param", _turned, False),
        ("lag", _turned, False),
        ("lag", lambda x: x.double(), False),
    ],
)
def test_what_the_loops_do_not_take_is_left_to_the_reference(what, name, change, compiled, monkeypatch) -> None:
    ran, loop = [], "sign" if what == "sign" else "update"
    kept = getattr(rows, loop)
    monkeypatch.setattr(rows, loop, lambda *arrays: (ran.append(True), kept(*arrays)))
    case = Case(0)
    case.param, case.m, case.lag = (torch.randn(6, 5) for _ in range(3))
    case.v, case.lead, case.rows, case.grad = (
        torch.rand(6, 5),
        torch.rand(6, 1),
        torch.tensor([1, 4]),
        torch.randn(2, 5),
    )
    case.averaged = True
    setattr(case, name, change(getattr(case, name)))
    case.after = lambda kernels, after=Case.after: after(case, what, kernels)
    if name in ("param", "lag") and change is _turned:  # a clone lies in memory as what it was made of
        assert not getattr(case, name).clone().is_contiguous()
    got, want = case.after(cpu), case.after(reference)
    assert_same(got, want)
    assert bool(ran) == compiled


@pytest.mark.parametrize("listed", [[-1, 2], [3, 6]])
def test_memory_that_is_not_the_parameters_is_never_touched(listed: list[int]) -> None:
    wholes = [torch.rand(8, 5), torch.rand(8, 5), torch.rand(8, 1)]
    param, lag, lead = (x[1:7] for x in wholes)  # a row before and a row behind
    before = [x.clone() for x in wholes]
    with pytest.raises(IndexError):
        cpu.sign_update(param, torch.tensor(listed), torch.ones(2, 5), 0.1, Average(lag, lead, 1.0, 0.1))
    assert all(torch.equal(x, y) for x, y in zip(wholes, before, strict=True))


def test_torch_is_told_what_was_changed() -> None:
    param, lag, lead, listed = torch.rand(6, 5), torch.rand(6, 5), torch.rand(6, 1), torch.tensor([2])
    before = [x._version for x in (param, lag, lead)]
    cpu.sign_update(param, listed, torch.ones(1, 5), 0.1, Average(lag, lead, 1.0, 0.1))
    assert all(x._version > old for x, old in zip((param, lag, lead), before, strict=True))
