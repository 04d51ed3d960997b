"""The average of weights against one that is taken of every row in every step."""

from __future__ import annotations

import copy
import doctest
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spadam.optim import BaseOptimizerSpec, weight_ema
from spadam.optim.weight_ema import WeightEma
from support.members import every_member, example, spec_form
from support.row_streams import Entries, give, stream, table

SHAPE, DECAY = (10, 4), 0.95


def silent_stream() -> list[Entries]:
    """About two of ten rows in a step, and steps with none."""
    grads = [Entries(e.rows[:2], e.values[:2]) for e in stream(SHAPE, 80, seed=1)]
    grads[30] = grads[31] = Entries(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4).double())
    return grads


@every_member
def test_it_is_the_average_of_every_row_in_every_step(spec: type[BaseOptimizerSpec]) -> None:
    param = table(SHAPE, seed=2)
    described = example(spec, lr=0.05)
    optimizer = described.build([param])
    ema = WeightEma([param], DECAY, holds=described.holds)
    twin = param.detach().clone()
    for entries in silent_stream():
        give(param, entries, spec_form(spec))
        ema.prepare()
        optimizer.step()
        ema.update()
        twin = DECAY * twin + (1 - DECAY) * param.detach()
        torch.testing.assert_close(ema.average(param), twin, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(), (9,), (9, 2, 3)])
def test_any_number_of_dimensions_is_rows(shape: tuple[int, ...]) -> None:
    param = nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64))
    ema, twin = WeightEma([param], DECAY, holds=True), param.detach().clone()
    for _ in range(3):
        param.grad = torch.ones_like(param)
        ema.prepare()
        with torch.no_grad():
            param -= 0.1
        ema.update()
        twin = DECAY * twin + (1 - DECAY) * param.detach()
        torch.testing.assert_close(ema.average(param), twin, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["lazy_adam", "adam"])
def test_its_state_goes_on_to_the_last_bit(name: str) -> None:
    """Before its time the state of another training is there, too."""
    spec = next(s for s in every_member.args[1] if s.model_fields["name"].default == name)

    def steps(ema: WeightEma, optimizer: Any, param: nn.Parameter, grads: list[Entries]) -> Tensor:
        for entries in grads:
            give(param, entries, spec_form(spec))
            ema.prepare()
            optimizer.step()
            ema.update()
        return ema.average(param)

    first = table(SHAPE, seed=4, dtype=torch.float32)
    one = example(spec).build([first])
    ema = WeightEma([first], DECAY, holds=example(spec).holds)
    grads = [Entries(e.rows, e.values.float()) for e in silent_stream()]
    steps(ema, one, first, grads[:40])
    second = nn.Parameter(first.detach().clone())
    two = example(spec).build([second])
    two.load_state_dict(copy.deepcopy(one.state_dict()))
    heir = WeightEma([second], DECAY, holds=ema.holds)
    heir.load_state_dict(copy.deepcopy(ema.state_dict()))
    assert torch.equal(steps(ema, one, first, grads[40:]), steps(heir, two, second, grads[40:]))


def test_it_may_begin_anew() -> None:
    param = table(SHAPE, seed=5)
    ema = WeightEma([param], DECAY, holds=True)
    with torch.no_grad():
        param += 1
    ema.begin()
    assert torch.equal(ema.average(param), param)
    assert ema.average(param).data_ptr() != param.data_ptr()


def test_small_types_are_averaged_in_float32() -> None:
    param = nn.Parameter(torch.zeros(3, 2, dtype=torch.bfloat16))
    ema = WeightEma([param], 0.999, holds=False)
    with torch.no_grad():
        param.fill_(1.0)
    for _ in range(3):
        ema.update()
    assert ema.average_0.dtype is torch.float32
    torch.testing.assert_close(ema.average_0, torch.full((3, 2), 1 - 0.999**3))
    assert ema.average(param).dtype is torch.bfloat16


def test_examples_in_the_documentation_are_true() -> None:
    found = doctest.testmod(weight_ema)
    assert found.attempted > 5
    assert found.failed == 0
