"""Draws the time of a training step against the number of latents: ours, the step in plain PyTorch, and the floor.

    python benchmarks/step_time.py [--quick] [--out docs/images/step_time.png]

Batch 128, 784 features, k 25 at 1000 latents and 32 above, two threads; medians of steps that take turns. Wants
matplotlib: pip install --group bench.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from spadam.bench.machine import describe
from spadam.bench.steps import AT_BATCH_128, Floor, Naive, Ours, Size, draw
from spadam.bench.timing import in_turns
from spadam.encoding.speed import fast_type
from spadam.kernels.arithmetic import arithmetic

ROOT = Path(__file__).parents[1]

NAIVE, FLOOR, FLOAT32, CERTIFIED = "plain PyTorch", "floor: product + top-k", "ours, float32", "ours, certified"
LOOK = {NAIVE: ("#8a8a8a", "-"), FLOOR: ("#111111", ":"), FLOAT32: ("#0072b2", "-"), CERTIFIED: ("#d55e00", "-")}
"""Colour and line of each; the colours stay apart for colour-blind readers."""


_APART = 1.35
"""By this factor a name stands below the one above it, so that they can be read where lines end together."""


def measure(size: Size, steps: int) -> dict[str, float]:
    """Median milliseconds of a step of each kind."""
    batches = draw(size)
    sides: dict[str, Callable[[], object]] = {
        NAIVE: Naive(size, batches).step,
        FLOOR: Floor(size, batches).step,
        FLOAT32: Ours(size, batches, "float32").step,
    }
    if fast_type() is not None:
        sides[CERTIFIED] = Ours(size, batches, "certified").step
    return {name: 1e3 * seconds for name, seconds in in_turns(sides, steps).items()}


def plot(figures: dict[Size, dict[str, float]], path: Path) -> None:
    """Write the figure."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 3.8), dpi=130, layout="constrained")
    latents = [size.latents for size in figures]
    ends = {name: value for name, value in list(figures.values())[-1].items() if name in LOOK}
    above = math.inf
    for name in sorted(ends, key=lambda name: -ends[name]):
        colour, line = LOOK[name]
        values = [found[name] for found in figures.values()]
        axes.plot(latents, values, line, color=colour, marker="o", markersize=3.5, linewidth=1.8)
        above = min(ends[name], above / _APART)
        at = (latents[-1] * 1.15, above)
        axes.annotate(name, at, color=colour, fontsize=9, va="center", annotation_clip=False)
    axes.set(xscale="log", yscale="log", xlabel="latents", ylabel="a training step, ms")
    axes.set_xlim(latents[0] / 1.3, latents[-1] * 7)  # room for the names
    axes.set_xticks(latents, [str(n) for n in latents])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, facecolor="white")


def table(figures: dict[Size, dict[str, float]]) -> str:
    """The same in Markdown."""
    names = [name for name in LOOK if all(name in found for found in figures.values())]
    lines = ["| latents, k | " + " | ".join(names) + " |", "|---" * (1 + len(names)) + "|"]
    for size, found in figures.items():
        lines.append(f"| {size.latents}, {size.k} | " + " | ".join(f"{found[name]:.1f} ms" for name in names) + " |")
    return "\n".join(lines)


def draw_all(path: Path, quick: bool = False) -> str:
    """Measure, draw into ``path``, and give the table."""
    figures = {size: measure(size, 5 if quick else 20) for size in AT_BATCH_128[: 2 if quick else None]}
    plot(figures, path)
    return table(figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "step_time.png")
    options = parser.parse_args()
    with arithmetic(2):
        print(describe())
        print(draw_all(options.out, options.quick))


if __name__ == "__main__":
    main()
