"""What a sweep costs beside its trainings, on this machine: start, hand-over, page; and what a second worker brings.

    python benchmarks/sweep.py [--trials N] [--rounds N]

Trainings are those of sweeps/quickstart.yaml, without W&B. Ratios are of alternating sweeps in one run of this program.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from spadam.bench.workers import TRIALS, describe_sweep, measure_sweep


def page(spec: Path, out: Path) -> dict[str, float]:
    from spadam import report
    from spadam.spec import load
    from spadam.sweep.outcome.progress import recall
    from spadam.sweep.store.connection import open_file

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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    from spadam.spec import dump

    with tempfile.TemporaryDirectory() as name:
        folder, spec = Path(name), Path(name) / "sweep.yaml"
        spec.write_text(dump(describe_sweep(options.trials)))
        found = {n: [] for n in (1, 2)}
        for _ in range(options.rounds):
            for workers, runs in found.items():
                runs.append(measure_sweep(workers, spec, folder))
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
