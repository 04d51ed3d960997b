"""What a second worker on a Ray cluster brings, and what a training costs there over one of a local worker.

    python benchmarks/cluster.py --trainings 12 --steps 800 --rounds 3

Starts a cluster of two cores on this machine. In every round the same sweep is trained by one worker and by two of
them, and by one local worker, in turn; ratios are taken within a round, for machines are busy with other things now and
then. The first training of each worker, which waits for imports, does not count. Prints a table in Markdown; the exit
code is 1 when the middle ratio of two workers over one is below --bar.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from typing_extensions import override

from spadam.sweep.running.means import Cluster, Means
from spadam.sweep.running.watcher import Quiet
from spadam.sweep.search.slots import Slot

SPEC = """\
name: cluster
base:
  data: {{name: digits, batch_size: 64}}
  model: {{latents: 1000, rule: {{name: top_k, k: 25}}, selection: float32}}
  trainer: {{epochs: null, steps: {steps}, checkpoint_every: null}}
  tracking: {{mode: disabled}}
variants:
  lazy: {{optimizer: {{name: lazy_adam}}}}
space:
  optimizer.lr: {{low: 1.0e-4, high: 1.0e-3, log: true}}
search: {{sampler: random, trials: {trainings}, seed: 0, lag: {trainings}}}
repeat: {{seeds: 0}}
objective: {{metric: val/fvu, direction: minimize}}
"""


class Clock(Quiet):
    """Notes when trainings end."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    @override
    def end(self, slot: Slot, status: str, value: float | None) -> None:
        self.ends.append(time.perf_counter())

    def per_minute(self, workers: int) -> float:
        """Trainings a minute, from the end of the first of each worker to that of the last."""
        return 60 * (len(self.ends) - workers) / (self.ends[-1] - self.ends[workers - 1])


def rate(trainings: int, steps: int, workers: int, cluster: Cluster | None) -> float:
    """Trainings a minute of a sweep by so many workers."""
    from spadam.sweep.running.agent import run_sweep

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "cluster.yaml"
        spec.write_text(SPEC.format(trainings=trainings, steps=steps))
        run_sweep(spec, folder, means=Means(workers, cluster), watcher=clock)
    return clock.per_minute(workers)


def main() -> None:
    options = argparse.ArgumentParser(description="Two workers on Ray over one, and Ray over a local worker.")
    options.add_argument("--trainings", type=int, default=12, help="of each sweep: as many for each worker")
    options.add_argument("--steps", type=int, default=800, help="of each training")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--bar", type=float, default=1.8, help="what two workers must bring over one, on two cores")
    given = options.parse_args()
    from spadam.sweep.running.cluster.connection import connected

    ratios, overheads = [], []
    print(
        "| round | one on Ray, a minute | two on Ray, a minute | ratio | one local, a minute | overhead of a training |"
    )
    print("|---|---|---|---|---|---|")
    with connected(None):  # one cluster for all of it
        for number in range(1, given.rounds + 1):
            one, two, local = (
                rate(given.trainings, given.steps, workers, cluster)
                for workers, cluster in ((1, Cluster()), (2, Cluster()), (1, None))
            )
            ratios.append(two / one)
            overheads.append(60 / one - 60 / local)
            shown = f"{one:.1f} | {two:.1f} | {ratios[-1]:.2f} | {local:.1f} | {1e3 * overheads[-1]:+.0f} ms"
            print(f"| {number} | {shown} |", flush=True)
    middle, cost = statistics.median(ratios), 1e3 * statistics.median(overheads)
    print(f"\ntwo over one: {middle:.2f} (bar {given.bar}); a training on Ray: {cost:+.0f} ms")
    sys.exit(middle < given.bar)


if __name__ == "__main__":
    main()
