"""Where the time of a training step goes: its parts in milliseconds, at 1000 and at 16384 latents.

    python benchmarks/step_parts.py [--quick]

A part's time is its own, without that of the parts it calls; medians over steps. What is left is autograd, the loss,
and Python between the parts.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from spadam import kernels
from spadam.bench.machine import describe
from spadam.bench.steps import LARGE, SMALL, Floor, Ours, Size, draw
from spadam.encoding.speed import fast_type
from spadam.kernels.arithmetic import arithmetic

SIZES = (SMALL, LARGE)

PARTS = {
    "product": "dense product of a block of latents",
    "search_block": "candidates from a block of scores, scored in float32 at the end",
    "find_best": "the rest of the search: memory, Python",
    "exhaust": "samples without proof, done again",
    "round_rows": "shadow rows and batch rounded and measured",
    "group_by_row": "pairs sorted by row",
    "decode": "sparse decode",
    "sampled_products": "products of the error with chosen rows",
    "row_gradient": "gradient of the touched rows",
    "row_sum": "gradient of the encoder bias",
    "row_update": "update of the touched rows",
    "optimizer": "the rest of LazyAdam.step",
    "backward": "the rest of backward: autograd, loss",
    "rest": "the rest: Python between the parts",
}
"""Each part, in the order in which they are shown."""


class Stopwatch:
    """Times calls of what it wraps; a call within a call counts for the inner one only."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner: list[float] = []

    def wrap(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self._inner.append(0.0)
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                taken = time.perf_counter() - start
                self.seconds[part] += taken - self._inner.pop()
                if self._inner:
                    self._inner[-1] += taken

        return call


@contextmanager
def watched(watch: Stopwatch, ours: Ours) -> Iterator[None]:
    """Let ``watch`` time the parts of the steps of ``ours``."""
    from spadam.kernels.cpu import scan, topk_ops

    chosen = kernels.choose(torch.device("cpu"))
    places = [(chosen, name, name) for name in chosen.__all__ if name in PARTS]
    places += [(scan, "search_block", "search_block"), (scan, "exhaust", "exhaust")]
    places += [(topk_ops, "round_rows", "round_rows"), (topk_ops, "product", "product")]
    places += [(ours.optimizer, "step", "optimizer"), (torch.Tensor, "backward", "backward")]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    try:
        for owner, name, part in places:
            setattr(owner, name, watch.wrap(part, getattr(owner, name)))
        yield
    finally:
        for owner, name, function in reversed(before):
            setattr(owner, name, function)


def measure(size: Size, selection: str, steps: int) -> dict[str, float]:
    """Median milliseconds of each part of a step, of the whole step, and of its floor in float32."""
    batches = draw(size)
    ours, floor = Ours(size, batches, selection), Floor(size, batches)
    for _ in range(5):
        ours.step()
        floor.step()
    parts: defaultdict[str, list[float]] = defaultdict(list)
    floors = []
    for _ in range(steps):
        watch = Stopwatch()
        with watched(watch, ours):
            watch.wrap("rest", ours.step)()
        for part in PARTS:
            parts[part].append(1e3 * watch.seconds[part])
        parts["step"].append(1e3 * sum(watch.seconds.values()))
        start = time.perf_counter()
        floor.step()
        floors.append(1e3 * (time.perf_counter() - start))
    return {part: statistics.median(values) for part, values in parts.items()} | {"floor": statistics.median(floors)}


def table(quick: bool = False) -> str:
    """The parts as a table in Markdown, for both ways to choose a code."""
    ways = ("float32", "certified") if fast_type() is not None else ("float32",)
    sizes = SIZES[:1] if quick else SIZES
    columns = {(size, way): measure(size, way, 20 if quick else 100) for size in sizes for way in ways}
    names = [f"{size.latents}, {way}" for size, way in columns]
    lines = ["| part, ms | " + " | ".join(names) + " |", "|---" * (1 + len(names)) + "|"]
    for part, says in PARTS.items():
        values = [found[part] for found in columns.values()]
        if max(values) >= 0.01:
            lines.append(f"| {says} | " + " | ".join(f"{value:.2f}" for value in values) + " |")
    for part, says in (("step", "**the step**"), ("floor", "its floor: float32 product and top-k")):
        lines.append(f"| {says} | " + " | ".join(f"{found[part]:.2f}" for found in columns.values()) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    with arithmetic(2):
        print(describe())
        print(table(options.quick))


if __name__ == "__main__":
    main()
