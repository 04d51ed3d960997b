"""What optimizers say that they are where every row is touched, against what they do there."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from spadam.optim import OPTIMIZERS, AdamWSpec, BaseOptimizerSpec, LazyAdamSpec, RowSamples, SelectiveAdamSpec

L, D, B = 6, 4, 8
MEMBERS = [member for member in OPTIMIZERS if not any(key.is_required() for key in member.model_fields.values())]


def trained(spec: BaseOptimizerSpec, steps: int = 12) -> Tensor:
    """The table after steps that touched all of its rows, each for another number of samples."""
    random = torch.Generator().manual_seed(0)
    table = torch.nn.Parameter(torch.randn(L, D, generator=random))
    optimizer = spec.build([table])
    for _ in range(steps):
        grad = torch.randn(L, D, generator=random)
        counts = torch.randint(1, B + 1, (L,), generator=random)
        table.grad = grad.to_sparse(1) if getattr(spec, "gradient") == "coo" else grad  # noqa: B009
        table.row_samples = RowSamples(torch.arange(L), counts, B)  # type: ignore[attr-defined]
        optimizer.step()
    return table.detach()


def of(member: type[BaseOptimizerSpec], **fields: object) -> BaseOptimizerSpec:
    # A large eps, so that its place shows.
    return member.model_validate({"lr": 0.01, **({"eps": 0.1} if "eps" in member.model_fields else {}), **fields})


def test_those_that_say_the_same_do_the_same_and_no_others() -> None:
    specs = [of(member) for member in MEMBERS]
    specs += [
        of(LazyAdamSpec, epsilon="after"),
        of(SelectiveAdamSpec, epsilon="after"),
        of(AdamWSpec, weight_decay=0.0),
    ]
    specs += [of(LazyAdamSpec, betas=(0.8, 0.99))]
    tables = [trained(spec) for spec in specs]
    alike = 0
    for (one, its), (other, others) in itertools.combinations(zip(specs, tables, strict=True), 2):
        said = one.when_all_touched() == other.when_all_touched()
        assert said == torch.allclose(its, others, rtol=0, atol=2e-6), (one, other)
        alike += said
    # tf_sparse, masked, lazy; adam, row_clock, lazy with `after`, adamw without decay; both places of selective's eps
    assert alike == 3 + 6 + 1


@pytest.mark.parametrize("member", MEMBERS)
def test_lr_and_eps_are_left_out(member: type[BaseOptimizerSpec]) -> None:
    assert of(member).when_all_touched() == of(member, lr=0.5).when_all_touched()


def test_who_lets_rows_wait_is_nobody_elses_twin() -> None:
    waiting = of(LazyAdamSpec, row_accumulate=3)
    assert waiting.when_all_touched() != of(LazyAdamSpec).when_all_touched()
