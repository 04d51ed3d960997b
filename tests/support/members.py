"""The members of the registry, each with an example that builds."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spadam.optim import OPTIMIZERS, BaseOptimizerSpec, CustomSpec, RowOptimizer

NAMES = [spec.model_fields["name"].default for spec in OPTIMIZERS]


def example(spec: type[BaseOptimizerSpec], **options) -> BaseOptimizerSpec:
    if spec is CustomSpec:
        return CustomSpec(path="torch.optim.Adamax", gradient="dense", **options)
    return spec(**options)


def spec_form(spec: type[BaseOptimizerSpec]) -> str:
    return example(spec).gradient


every_member = pytest.mark.parametrize("spec", OPTIMIZERS, ids=NAMES)


def build_of(spec: type[BaseOptimizerSpec]) -> type[torch.optim.Optimizer]:
    return type(example(spec).build([nn.Parameter(torch.ones(1))]))


ROW_MEMBERS = [spec for spec in OPTIMIZERS if issubclass(build_of(spec), RowOptimizer)]
every_row_member = pytest.mark.parametrize("spec", ROW_MEMBERS)


def remembers(spec: type[BaseOptimizerSpec]) -> bool:
    """Whether it keeps anything of a row."""
    param = nn.Parameter(torch.ones(2, 1))
    param.grad = torch.ones(2, 1)
    param.row_samples = (torch.arange(2), torch.ones(2, dtype=torch.int64), 2)
    optimizer = build_of(spec)([param], lr=1.0)
    optimizer.step()
    return any(isinstance(value, torch.Tensor) for value in optimizer.state[param].values())


every_row_member_that_remembers = pytest.mark.parametrize("spec", [spec for spec in ROW_MEMBERS if remembers(spec)])
"""All but sign_sgd: what it keeps goes with any number of rows."""
