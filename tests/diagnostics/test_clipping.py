"""What clipping took away, against the norms of the gradients."""

import statistics
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.plugins.precision import Precision

from spadam.data import Batches
from spadam.diagnostics.metrics import METRICS
from spadam.tasks.task import build_task
from spadam.training.lightning import NotedClipping
from spadam.training.module import TaskModule
from spadam.training.run import run
from support.short_training import config, rows

EVERY = 4


def norms(clip: float, steps: int, optimizer: dict[str, Any]) -> list[float]:
    """The norm over all elements of each step's gradients, in a loop that scales them down to ``clip``."""
    wanted = config(probe=None, optimizer=optimizer)
    data = wanted.data.load()
    task = build_task(wanted, data)
    module = TaskModule(task, wanted.optimizer).train()
    stepping = wanted.optimizer.build(task.model.parameters())
    found: list[float] = []
    for number, batch in enumerate(Batches(data, data.train, 64, wanted.seed)):
        if number == steps:
            break
        stepping.zero_grad()
        module.training_step(batch, number)["loss"].backward()
        module.on_after_backward()
        grads = [p.grad.to_dense() for p in task.model.parameters() if p.grad is not None]
        found.append(sum(float(grad.double().square().sum()) for grad in grads) ** 0.5)
        for p in task.model.parameters():
            if p.grad is not None:
                p.grad.mul_(min(1.0, clip / (found[-1] + 1e-6)))
        stepping.step()
    return found


@pytest.mark.parametrize("name", ["lazy_adam", "adam"])  # gradients in coordinates, and dense ones
def test_it_is_measured_row_by_row(name: str, tmp_path: Path) -> None:
    optimizer = {"name": name, "lr": 3e-2}
    clip = statistics.median(norms(1e9, 12, optimizer))  # so that some are clipped
    factors = [min(1.0, clip / (norm + 1e-6)) for norm in norms(clip, 12, optimizer)]
    run(
        config(
            probe=None,
            optimizer=optimizer,
            trainer={"epochs": None, "steps": 12, "clip_norm": clip, "evaluate_every": EVERY},
        ),
        tmp_path / "out",
    )
    found = rows(tmp_path / "out")
    assert [row["step"] for row in found] == [0, 4, 8, 12]
    assert "optim/clipped" not in found[0]
    for row in found[1:]:
        mine = factors[row["step"] - EVERY : row["step"]]
        assert row["optim/clipped"] == sum(factor < 1 for factor in mine) / EVERY
        assert row["optim/clip_factor"] == pytest.approx(sum(mine) / EVERY, rel=1e-4)  # norms in float32
    assert 0 < sum(row["optim/clipped"] for row in found[1:]) < 3


def test_nothing_is_said_where_nothing_is_clipped() -> None:
    result = run(config(probe=None, trainer={"epochs": 1}), phase="search")
    assert not [name for name, metric in METRICS.items() if metric.clipping and name in result.metrics]


def test_a_norm_that_is_never_reached_has_factor_one() -> None:
    metrics = run(config(probe=None, trainer={"epochs": 1, "clip_norm": 1e9}), phase="search").metrics
    assert (metrics["optim/clipped"], metrics["optim/clip_factor"]) == (0, 1)


def test_noting_it_changes_no_bit_of_the_gradient() -> None:
    def clipped(plugin: Precision) -> torch.Tensor:
        weight = torch.nn.Parameter(torch.zeros(5, 3))
        weight.grad = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
        plugin.clip_gradients(torch.optim.SGD([weight], lr=0.1), 0.37)
        return weight.grad

    noted = NotedClipping()
    assert torch.equal(clipped(noted), clipped(Precision()))
    assert noted.factor is not None
    assert 0 < float(noted.factor) < 1
