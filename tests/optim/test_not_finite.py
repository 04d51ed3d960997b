"""A gradient that is no number: the weights that it reaches tell, other rows go on."""

from __future__ import annotations

import math

import pytest
import torch

from support.members import every_member, example, spec_form
from support.row_streams import Entries, coo, dense, table


@every_member
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_the_row_that_it_reaches_tells_and_the_others_go_on(spec, wrong) -> None:
    param, twin = (table((6, 4), seed=1) for _ in range(2))
    form = coo if spec_form(spec) == "coo" else dense
    paths = []
    for weight, bad in ((param, True), (twin, False)):
        optimizer = example(spec).build([weight])
        for step in range(12):
            generator = torch.Generator().manual_seed(step)
            entries = Entries(torch.tensor([1, 4, 5]), torch.randn(3, 4, generator=generator, dtype=torch.float64))
            if bad and step == 3:
                entries.values[1, 2] = wrong
            weight.grad = form(entries, weight.shape)
            optimizer.step()
        paths.append(weight.detach())
    others = torch.tensor([0, 1, 2, 3, 5])
    assert torch.equal(paths[0][others], paths[1][others])
    assert not paths[0][4].isfinite().all()
