"""How far a row travels by how often it is touched: what docs/concepts/optimizer-family.md says of each optimizer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spadam.optim import (
    AdagradSpec,
    AdamSpec,
    BaseOptimizerSpec,
    LazyAdamSpec,
    MaskedAdamSpec,
    RMSpropSpec,
    RowClockAdamSpec,
    RowwiseAdagradSpec,
    ScheduleFreeSpec,
    SelectiveAdamSpec,
    SGDSpec,
    SignSGDSpec,
    SignumSpec,
    TFSparseAdamSpec,
)
from support.row_streams import Entries, give

STEPS, EVERY = 4000, (100, 50, 25, 12)


def exponent(spec: BaseOptimizerSpec, form: str) -> float:
    """The slope of log path length per step over log share of steps, rows touched with one and the same gradient."""
    param = nn.Parameter(torch.zeros(len(EVERY) + 1, 1, dtype=torch.float64))  # the last is touched in every step
    optimizer, path = spec.build([param]), torch.zeros(len(EVERY) + 1, dtype=torch.float64)
    for step in range(STEPS):
        rows = [row for row, every in enumerate((*EVERY, 1)) if step % every == 0]
        before = param.detach().clone()
        give(param, Entries(torch.tensor(rows), torch.ones(len(rows), 1, dtype=torch.float64)), form)
        optimizer.step()
        path += (param.detach() - before).abs()[:, 0]
    x = -torch.tensor(EVERY, dtype=torch.float64).log()
    y = (path[:-1] / STEPS).log()
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / (x * x).sum())


@pytest.mark.parametrize(
    ("spec", "low", "high"),
    [
        (SignumSpec(), -0.01, 0.01),
        (AdamSpec(), 0.5, 0.56),
        (TFSparseAdamSpec(), 0.5, 0.56),
        (AdagradSpec(), 0.5, 0.56),
        (RowwiseAdagradSpec(), 0.5, 0.56),
        (LazyAdamSpec(), 0.6, 0.72),
        (MaskedAdamSpec(), 0.6, 0.72),
        (SelectiveAdamSpec(), 0.6, 0.72),
        (RMSpropSpec(), 0.6, 0.72),
        (SignSGDSpec(), 0.97, 1.03),
        (ScheduleFreeSpec(), 0.97, 1.03),
        (RowClockAdamSpec(), 0.97, 1.03),
        (SGDSpec(lr=0.01), 0.97, 1.03),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_path_grows_as_a_power_of_the_share_of_steps(spec: BaseOptimizerSpec, low: float, high: float) -> None:
    assert low < exponent(spec, getattr(spec, "gradient")) < high  # noqa: B009 # each member has one
