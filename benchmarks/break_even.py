"""From which share of touched rows on a dense step is cheaper.

    python benchmarks/break_even.py [--quick]

Two tables. The optimizer alone: LazyAdam on a share of the rows of 16384 x 784 weights against fused dense Adam, whose
time does not depend on the share. The whole step: 4096 latents, batch 128, `execution: sparse` with lazy_adam against
`execution: dense` with adam, as k grows from 1 until every row is touched.
"""

from __future__ import annotations

import argparse
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch

from spadam.bench.machine import describe
from spadam.bench.optimizers import FEATURES, Stepper, draw_gradients
from spadam.bench.steps import LR, Ours, Size, Step, draw
from spadam.bench.timing import FULL, QUICK, Comparison, Effort, alternate
from spadam.data.splits import seeded
from spadam.kernels.arithmetic import arithmetic
from spadam.models.spec import AutoencoderSpec
from spadam.optim import AdamSpec, LazyAdam
from spadam.training.module import AutoencoderModule

LATENTS = 16384
SHARES = (0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)

STEP_LATENTS, BATCH = 4096, 128
KS = (1, 4, 16, 32, 64, 128, 256)


class Point(NamedTuple):
    """What was measured at a share of touched rows; ``setting`` is what the share comes from."""

    setting: str
    share: float
    found: Comparison


class DenseStep(Step):
    """The same model with masks, autograd and fused dense Adam: `execution: dense`, optimizer `adam`."""

    def __init__(self, size: Size, batches: list[torch.Tensor]) -> None:
        super().__init__(batches)
        rule = {"name": "top_k", "k": size.k}
        spec = AutoencoderSpec.model_validate({"latents": size.latents, "rule": rule, "execution": "dense"})
        self.model = spec.build(size.features, seeded("weights", 0)).train()
        self.module = AutoencoderModule(self.model, AdamSpec())
        self.optimizer = AdamSpec(lr=LR).build(self.model.parameters())

    def loss(self, x_BD: torch.Tensor) -> torch.Tensor:
        return self.module.loss(x_BD, self.model(x_BD))


class DenseAdam:
    """Fused dense Adam on the same table."""

    def __init__(self, latents: int) -> None:
        self.table = torch.nn.Parameter(torch.randn(latents, FEATURES))
        self.table.grad = torch.randn(latents, FEATURES)
        self.optimizer = torch.optim.Adam([self.table], lr=1e-3, fused=True)

    def step(self) -> None:
        self.optimizer.step()


def measure_optimizers(effort: Effort, latents: int = LATENTS, shares: tuple[float, ...] = SHARES) -> list[Point]:
    """LazyAdam over dense Adam at each share of touched rows."""
    dense = DenseAdam(latents)
    points = []
    for share in shares:
        rows = max(1, round(share * latents))
        lazy = Stepper(dense.table.detach(), partial(LazyAdam, lr=1e-3), draw_gradients(latents, rows))
        points.append(Point(f"{rows} rows", rows / latents, alternate(lazy.step, dense.step, effort)))
    return points


def measure_steps(effort: Effort, latents: int = STEP_LATENTS, ks: tuple[int, ...] = KS) -> list[Point]:
    """Our sparse step over the dense one as k grows."""
    points = []
    for k in ks:
        size = Size(latents, k, BATCH)
        batches = draw(size)
        ours = Ours(size, batches)
        found = alternate(ours.step, DenseStep(size, batches).step, effort)
        points.append(Point(f"k {k}", ours.rows_touched() / latents, found))
    return points


def crossing(points: list[Point]) -> float | None:
    """The share at which both cost the same, between the two points around it; None when it is not reached."""
    for (_, low, before), (_, high, after) in pairwise(points):
        if before.ratio < 1 <= after.ratio:
            return low + (high - low) * (1 - before.ratio) / (after.ratio - before.ratio)
    return None


def table(points: list[Point], what: str) -> str:
    """The points as a table in Markdown, and the share at which the two meet."""
    lines = [f"| {what} | rows touched | sparse, ms | dense, ms | sparse / dense |", "|---" * 5 + "|"]
    for setting, share, found in points:
        of, over = 1e3 * found.of, 1e3 * found.over
        lines.append(f"| {setting} | {share:.2f} | {of:.2f} | {over:.2f} | {found.ratio:.2f} |")
    meet = crossing(points)
    if meet is not None:
        lines += ["", f"The two meet at a share of {meet:.2f}."]
    elif all(point.found.ratio < 1 for point in points):
        lines += ["", "The sparse one is cheaper at every share measured."]
    return "\n".join(lines)


def tables(quick: bool = False) -> str:
    """Both tables."""
    effort = QUICK if quick else FULL._replace(seconds=2.0)
    optimizers = table(measure_optimizers(effort), "optimizer alone")
    return optimizers + "\n\n" + table(measure_steps(effort), "whole step")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    with arithmetic(2):
        print(describe())
        print(tables(options.quick))


if __name__ == "__main__":
    main()
