"""The compiled update of rows against its twin in torch operations: the same bits, and nothing else is written."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import Tensor

from spadam.kernels import cpu, reference
from spadam.kernels.cpu import rows

BITS = {torch.float32: torch.int32, torch.float64: torch.int64}

# Beside ordinary numbers: zeros of both signs, tiny, huge, infinite, not a number.
ODD = [0.0, -0.0, 1e-45, -3e-39, 1e-23, 1e30, float("inf"), float("nan")]


def numbers(draw: random.Random, shape: tuple[int, ...], dtype: torch.dtype, odd: bool) -> Tensor:
    generator = torch.Generator().manual_seed(draw.getrandbits(32))
    out = torch.randn(*shape, generator=generator, dtype=dtype) * 10.0 ** draw.randint(-12, 4)
    if odd:
        places = torch.rand(shape, generator=generator) < 0.1
        out[places] = torch.tensor(draw.choices(ODD, k=int(places.sum())), dtype=dtype)
    return out


def case(seed: int) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a random call, second moments by element."""
    draw = random.Random(seed)
    dtype, odd = draw.choice([torch.float32, torch.float64]), draw.random() < 0.3
    features, length = draw.choice([1, 2, 3, 7, 16, 17, 33, 64, 100, 784]), draw.choice([1, 2, 9, 50])
    listed = draw.choice([length, 1, 0, draw.randint(0, length)])
    everyone = listed == length and draw.random() < 0.5
    param, m = (numbers(draw, (length, features), dtype, odd) for _ in range(2))
    v, grad = numbers(draw, (length, features), dtype, odd).abs(), numbers(draw, (listed, features), dtype, odd)
    chosen = torch.tensor(draw.sample(range(length), listed), dtype=torch.int64)  # in no order
    rest = draw.random() < 0.3
    updated = length if rest else listed

    def one_or_each(value: float) -> float | Tensor:
        if draw.random() < 0.5:
            return value
        return value * torch.rand(draw.choice([1, updated]), 1, dtype=dtype)

    decays = [draw.choice([None, torch.rand(updated, 1, dtype=dtype)]) for _ in range(3)]
    options = {
        "beta1": draw.choice([0.0, 0.9, 1 / 3, draw.random()]),
        "beta2": draw.choice([1.0, 0.999, draw.random()]),
        "step_size": one_or_each(10.0 ** draw.uniform(-5, 1)),
        "eps": one_or_each(draw.choice([0.0, 1e-30, 1e-8, 0.1])),
        "decay1": decays[0],
        "decay2": decays[1],
        "scale": decays[2],
        "gain2": draw.choice([None, 1.0, draw.random()]),
        "rest": rest,
    }
    return [param, draw.choice([m, m, None]), v, None if everyone else chosen, grad], options


def after(kernels: Any, arguments: list[Any], options: dict[str, Any]) -> list[Tensor]:
    copies = [None if x is None else x.clone() for x in arguments[:3]]
    kernels.row_update(*copies, *arguments[3:], **options)
    return [x for x in copies if x is not None]


@pytest.mark.parametrize("seed", range(400))
def test_the_bits_are_those_of_the_reference(seed: int) -> None:
    arguments, options = case(seed)
    for got, want in zip(after(cpu, arguments, options), after(reference, arguments, options), strict=True):
        assert torch.equal(got.isnan(), want.isnan())
        same = (got.view(BITS[got.dtype]) == want.view(BITS[got.dtype])) | want.isnan()  # of NaN there are many
        assert same.all()


def test_many_elements_have_the_bits_of_the_reference() -> None:
    """A multiplication rounded together with an addition would show: in about every third element."""
    generator = torch.Generator().manual_seed(0)
    param, m, grad = (torch.randn(500, 784, generator=generator) for _ in range(3))
    arguments = [param, m, torch.rand(500, 784, generator=generator), None, grad]
    options = {"beta1": 0.9, "beta2": 0.999, "step_size": 1e-2, "eps": 1e-8}
    for got, want in zip(after(cpu, arguments, options), after(reference, arguments, options), strict=True):
        assert torch.equal(got, want)


@pytest.mark.parametrize("dtype", BITS)
@pytest.mark.parametrize("moments", [True, False])
@pytest.mark.parametrize("features", [1, 2, 33, 784, 40001])
def test_a_mean_over_a_row_is_that_of_the_reference_within_rounding(features, moments, dtype) -> None:
    generator = torch.Generator().manual_seed(features)
    param, m = (torch.randn(9, features, generator=generator, dtype=dtype) for _ in range(2))
    v, grad = (
        torch.rand(9, 1, generator=generator, dtype=dtype),
        torch.randn(4, features, generator=generator).to(dtype),
    )
    arguments = [param, m if moments else None, v, torch.tensor([0, 3, 4, 8]), grad]
    scale = torch.rand(4, 1, generator=generator, dtype=dtype)
    options = {"beta1": 0.9, "beta2": 0.5, "step_size": 1e-2, "eps": 1e-8, "scale": scale}
    tolerance = 1e-6 if dtype is torch.float32 else 1e-14
    for got, want in zip(after(cpu, arguments, options), after(reference, arguments, options), strict=True):
        torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance)


# ---------------------------------------------------------------- what the loops do not take


def _turned(x: Tensor) -> Tensor:
    return x.t().contiguous().t()


@pytest.mark.parametrize(
    ("change", "compiled"),
    [
        (lambda a: a, True),
        (lambda a: [*a[:4], _turned(a[4])], True),  # a gradient may be copied
        (lambda a: [_turned(a[0]), *a[1:]], False),
        (lambda a: [a[0], _turned(a[1]), *a[2:]], False),
        (lambda a: [*a[:2], _turned(a[2]), *a[3:]], False),
        (lambda a: [*(x.bfloat16() for x in a[:3]), a[3], a[4].bfloat16()], False),
        (lambda a: [*a[:2], a[2].double(), *a[3:]], False),
        (lambda a: [*a[:3], torch.stack((a[3], a[3]), 1)[:, 0], a[4]], False),
    ],
)
def test_what_the_loops_do_not_take_is_left_to_the_reference(change, compiled, monkeypatch) -> None:
    ran = []
    loop = rows.update
    monkeypatch.setattr(rows, "update", lambda *arrays: (ran.append(True), loop(*arrays)))
    generator = torch.Generator().manual_seed(1)
    w, m, v = (torch.rand(6, 5, generator=generator) for _ in range(3))
    options = {"beta1": 0.9, "beta2": 0.999, "step_size": 1e-2, "eps": 1e-3}
    plain = [w, m, v, torch.tensor([1, 4]), torch.randn(2, 5, generator=generator)]
    got, want = (
        change([w.clone(), m.clone(), v.clone(), *plain[3:]]),
        change([w.clone(), m.clone(), v.clone(), *plain[3:]]),
    )
    reference.row_update(*want, **options)
    cpu.row_update(*got, **options)
    assert bool(ran) == compiled
    assert all(torch.equal(x, y) for x, y in zip(got[:3], want[:3], strict=True))
    assert not torch.equal(got[0].float(), w)


@pytest.mark.parametrize("listed", [[-1, 2], [3, 6]])
@pytest.mark.parametrize("rest", [True, False])
def test_memory_that_is_not_the_parameters_is_never_touched(listed, rest) -> None:
    w, m, v = (torch.rand(8, 5) for _ in range(3))
    inner = [x[1:7] for x in (w, m, v)]  # a row before and a row behind
    before = [x.clone() for x in (w, m, v)]
    options = {"beta1": 0.9, "beta2": 0.999, "step_size": 1e-2, "eps": 1e-3, "rest": rest}
    with pytest.raises(IndexError):
        cpu.row_update(*inner, torch.tensor(listed), torch.ones(2, 5), **options)
    assert all(torch.equal(x, y) for x, y in zip((w, m, v), before, strict=True))


def test_torch_is_told_what_was_changed() -> None:
    w, m, v = (torch.rand(6, 5) for _ in range(3))
    options = {"beta1": 0.9, "beta2": 0.999, "step_size": 1e-2, "eps": 1e-3}
    seen = torch.nn.Parameter(w)
    loss = (seen * seen).sum()
    before = [x._version for x in (seen, m, v)]
    cpu.row_update(seen.detach(), m, v, torch.tensor([2]), torch.ones(1, 5), **options)
    assert all(x._version > old for x, old in zip((seen, m, v), before, strict=True))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    before = seen._version
    cpu.row_update(seen.detach(), m, v, torch.tensor([], dtype=torch.int64), torch.ones(0, 5), **options)
    assert seen._version == before
