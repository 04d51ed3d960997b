"""What a pre-bias costs a training step: each kind over none, taking turns in one process.

    python benchmarks/pre_bias.py --steps 200

Batch 128, 784 features, k 25 at 1000 latents and 32 above, two threads. Prints a table in Markdown; the exit code is 1
when the default, the mean of the samples, takes a step more than --bar times as long as none.
"""

from __future__ import annotations

import argparse
import sys

from spadam.bench.steps import LARGE, MIDDLE, SMALL, Ours, draw
from spadam.bench.timing import in_turns
from spadam.kernels.arithmetic import arithmetic

NONE, *OTHERS = KINDS = ("none", "mean", "learned")


def main() -> None:
    options = argparse.ArgumentParser(description="What a pre-bias costs a training step.")
    options.add_argument("--steps", type=int, default=200)
    options.add_argument("--bar", type=float, default=1.03)
    given = options.parse_args()
    print("| | none, ms | mean | learned |\n|---|---|---|---|")
    worst = 0.0
    for size in (SMALL, MIDDLE, LARGE):
        batches = draw(size)
        with arithmetic(2):
            found = in_turns({kind: Ours(size, batches, pre_bias=kind).step for kind in KINDS}, given.steps)
        ratios = [found[kind] / found[NONE] for kind in OTHERS]
        print(f"| {size} | {1e3 * found[NONE]:.2f} | {' | '.join(f'{ratio:.3f}' for ratio in ratios)} |", flush=True)
        worst = max(worst, ratios[0])
    sys.exit(worst > given.bar)


if __name__ == "__main__":
    main()
