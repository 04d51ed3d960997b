"""The case of two workers over one: trials of a sweep per minute, one torch thread each.

    python -m spadam.bench.workers WORKERS SPEC FOLDER

runs one sweep in a process of its own; its trainings write down when they began and ended.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spadam import machine
from spadam.bench.case import Case, Measured, NotRun, Settings, last_line
from spadam.bench.timing import compare
from spadam.spec import dump

MARKS = "SPADAM_MARKS"
"""Names the file that trainings write their times to."""

ROUNDS, QUICK_ROUNDS = 3, 1

TRIALS = 6
"""Trials of a variant: 24 trainings in all, and as many workers as there are wait for none of them at the end."""


def describe_sweep(trials: int = TRIALS, epochs: int = 5) -> dict[str, Any]:
    """A sweep of the sizes of sweeps/quickstart.yaml, without W&B."""
    variants = ("adam", "masked_adam", "lazy_adam", "row_clock_adam")
    return {
        "name": "quickstart",
        "base": {
            "data": {"name": "digits", "batch_size": 32},
            "model": {"latents": 256, "rule": {"name": "top_k", "k": 8}},
            "trainer": {"epochs": epochs, "threads": 1},
            "tracking": {"mode": "disabled"},
        },
        "variants": {name: {"optimizer": {"name": name}} for name in variants},
        "space": {
            "optimizer.lr": {"low": 1e-4, "high": 1e-1, "log": True},
            "optimizer.eps": {"low": 1e-10, "high": 1e-2, "log": True},
        },
        "search": {"sampler": "tpe", "trials": trials, "seed": 0, "lag": 4},
        "repeat": {"seeds": 3},
        "objective": {"metric": "val/fvu", "direction": "minimize"},
    }


def mark_training(task: Any, progress: Callable[[Any], None]) -> Any:
    """A training of a sweep that writes down when it began, made its first step, and ended."""
    from spadam.sweep.running.task import train

    marks = {"begin": time.time()}

    def watch(step: Any) -> None:
        if step.step > 0:
            marks.setdefault("step", time.time())
        progress(step)

    result = train(task, watch)
    marks["end"] = time.time()
    with Path(os.environ[MARKS]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(marks) + "\n")
    return result


def run_quietly(workers: int, spec: Path, out: Path) -> int:
    """Run the sweep in this process; its exit code."""
    from spadam.sweep.running.agent import run_sweep
    from spadam.sweep.running.means import Means

    return 0 if run_sweep(spec, out, means=Means(workers), train=mark_training).trouble is None else 1


def measure_sweep(workers: int, spec: Path, folder: Path) -> dict[str, float]:
    """A whole sweep in a fresh process: seconds of its parts, and trainings per minute.

    Raises RuntimeError when the sweep failed.
    """
    marks = folder / "marks"
    marks.unlink(missing_ok=True)
    start = time.time()
    command = [sys.executable, "-m", "spadam.bench.workers", str(workers), str(spec), str(folder / f"{start}")]
    done = subprocess.run(command, env={**os.environ, MARKS: str(marks)}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the sweep failed: {last_line(done.stderr)}")
    trainings = [json.loads(line) for line in marks.read_text(encoding="utf-8").splitlines()]
    return summarise(trainings, workers, start)


def summarise(trainings: list[dict[str, float]], workers: int, start: float) -> dict[str, float]:
    """What the times of a sweep's trainings amount to; the command was given at ``start``."""
    first, last = min(t["begin"] for t in trainings), max(t["end"] for t in trainings)
    busy = sum(t["end"] - t["begin"] for t in trainings)
    return {
        "command to first training": first - start,
        "training to its first step": statistics.median(t["step"] - t["begin"] for t in trainings),
        "a training": busy / len(trainings),
        "hand-over between trainings of a worker": ((last - first) * workers - busy) / len(trainings),
        "per minute": 60 * len(trainings) / (last - first),
    }


def two_over_one(settings: Settings) -> Measured:
    """Trainings per minute of two workers over those of one, in turns."""
    if machine.cores() < 2:
        raise NotRun("two workers need two cores")
    quick = settings.effort.quick
    pairs = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder, spec = Path(name), Path(name) / "sweep.yaml"
        spec.write_text(dump(describe_sweep(trials=2 if quick else TRIALS)), encoding="utf-8")
        for _ in range(QUICK_ROUNDS if quick else ROUNDS):
            one, two = (measure_sweep(workers, spec, folder)["per minute"] for workers in (1, 2))
            pairs.append((two, one))
    found = compare(pairs)
    note = "a training has one torch thread"
    return Measured(found.ratio, found.of, found.over, "trainings a minute", found.spread, found.pairs, note)


CASES = (
    Case(
        name="two workers / one: quickstart sizes",
        bar=1.8,
        direction="at least",
        says="Trainings per minute of a sweep with two workers over those of one, from the start of the first training "
        "to the end of the last.",
        measure=two_over_one,
        seconds=75,
    ),
)


if __name__ == "__main__":
    from spadam.bench.workers import run_quietly as run  # so that workers find the training under its own name

    sys.exit(run(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
