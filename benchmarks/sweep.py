"""What a sweep costs beside its trainings, on this machine: start, hand-over, page; and what a second worker brings.

    python benchmarks/sweep.py [--trials N] [--rounds N]

Trainings are those of sweeps/quickstart.yaml, without W&B. Ratios are of alternating sweeps in one run of this program.
"""

from __future__ import annotations

import argparse
import io
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

ROOT = Path(__file__).parents[1]


def timed(task: Any, progress: Callable[[Any], None]) -> Any:
    """A training that writes down when it began, made its first step, and ended."""
    from spadam.sweep.training import train

    marks = {"begin": time.time()}

    def watch(step: Any) -> None:
        if step.step > 0:
            marks.setdefault("step", time.time())
        progress(step)

    result = train(task, watch)
    marks["end"] = time.time()
    with Path(os.environ["SPADAM_MARKS"]).open("a") as file:
        file.write(json.dumps(marks) + "\n")
    return result


def sweep(workers: int, spec: str, out: str) -> None:
    """Run a sweep in this process; its workers write the marks."""
    from rich.console import Console

    from spadam.sweep.agent import run_sweep

    quiet = Console(file=io.StringIO())
    sys.exit(run_sweep(Path(spec), Path(out), None, quiet, progress=quiet, workers=workers, train=timed))


def measure(workers: int, spec: Path, folder: Path) -> dict[str, float]:
    """A whole sweep in a fresh process, in seconds."""
    marks = folder / "marks"
    marks.unlink(missing_ok=True)
    start = time.time()
    command = [sys.executable, __file__, "--sweep", str(workers), str(spec), str(folder / f"{start}")]
    subprocess.run(command, env={**os.environ, "SPADAM_MARKS": str(marks)}, check=True)
    trainings = [json.loads(line) for line in marks.read_text().splitlines()]
    first, last = min(t["begin"] for t in trainings), max(t["end"] for t in trainings)
    busy = sum(t["end"] - t["begin"] for t in trainings)
    return {
        "command to first training": first - start,
        "training to its first step": statistics.median(t["step"] - t["begin"] for t in trainings),
        "a training": busy / len(trainings),
        "hand-over between trainings of a worker": ((last - first) * workers - busy) / len(trainings),
        "per minute": 60 * len(trainings) / (last - first),
    }


def page(spec: Path, out: Path) -> dict[str, float]:
    from spadam import report
    from spadam.spec import load
    from spadam.sweep.standing import recall
    from spadam.sweep.storage import open_file

    name = load(spec).data["name"]
    with open_file(out / name / "sweep.db") as storage:
        found, searches, attributes = recall(storage, name)
    start = time.perf_counter()
    path = report.write(found, searches, attributes, out / name)
    cold = time.perf_counter() - start
    start = time.perf_counter()
    report.write(found, searches, attributes, out / name)
    return {"the page": cold, "the page, once more": time.perf_counter() - start, "MB": path.stat().st_size / 1e6}


def main() -> None:
    if sys.argv[1:2] == ["--sweep"]:
        sweep(int(sys.argv[2]), *sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    from spadam.spec import dump, load, merge

    with tempfile.TemporaryDirectory() as name:
        folder, spec = Path(name), Path(name) / "sweep.yaml"
        small = {"search": {"trials": options.trials}, "base": {"tracking": {"mode": "disabled"}}}
        spec.write_text(dump(merge(load(ROOT / "sweeps" / "quickstart.yaml").data, small)))
        found = {n: [] for n in (1, 2)}
        for _ in range(options.rounds):
            for workers, runs in found.items():
                runs.append(measure(workers, spec, folder))
        for workers, runs in found.items():
            print(f"{workers} worker{'s' * (workers > 1)} (medians of {len(runs)}; per minute, else seconds)")
            for key in runs[0]:
                print(f"  {key:45s}{statistics.median(run[key] for run in runs):8.3f}")
        pairs = zip(found[1], found[2], strict=True)
        ratios = sorted(two["per minute"] / one["per minute"] for one, two in pairs)
        spread = f"{ratios[0]:.2f}-{ratios[-1]:.2f}"
        print(f"2 workers over 1, trainings per minute: {statistics.median(ratios):.2f} ({spread})")
        for key, value in page(spec, next(path for path in folder.iterdir() if path.is_dir())).items():
            print(f"  {key:45s}{value:8.3f}")


if __name__ == "__main__":
    main()
