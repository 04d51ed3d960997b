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
every_row_member = pytest.mark.parametrize(
    "spec", [s for s in OPTIMIZERS if isinstance(example(s).build([nn.Parameter(torch.ones(1))]), RowOptimizer)]
)
