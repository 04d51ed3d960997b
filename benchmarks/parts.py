"""What each part of one training costs, in seconds and as shares of a run, measured in one process.

    python benchmarks/parts.py [--root FOLDER] [--latents N]

Fashion-MNIST when its files are in FOLDER, digits otherwise. One torch thread, float32, probe on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def seconds(act: Callable[[], object], times: int = 1) -> float:
    """The median time of ``times`` calls."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def fresh(code: str) -> float:
    """How long a fresh interpreter takes for ``code``, its own start included."""
    return seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--latents", type=int, default=1000)
    options = parser.parse_args()

    help_ = "import sys; sys.argv = ['spadam', '--help']; from spadam.cli import main; main()"
    figures = {
        "spadam --help": fresh(help_),
        "import torch": fresh("import torch"),
        "import spadam.config": fresh("import spadam.config"),
        "import spadam.training.run": fresh("import spadam.training.run"),
    }

    import torch

    from spadam.config import RunConfig
    from spadam.data.splits import seeded
    from spadam.diagnostics.probe_regression import baseline_pixels, refit
    from spadam.diagnostics.reconstruction import evaluate, evaluate_training_code
    from spadam.spec import Document, validate
    from spadam.training.progress import Progress
    from spadam.training.run import run

    torch.set_num_threads(1)
    digits = not Path(options.root).is_dir()
    data = {"name": "digits"} if digits else {"name": "fashion_mnist", "root": options.root}
    text = {
        "data": data,
        "model": {"latents": options.latents},
        "optimizer": {"name": "lazy_adam"},
        "trainer": {"epochs": 2},
        "tracking": {"mode": "offline"},
    }
    config = validate(RunConfig, Document(text, {}, "benchmark"))
    figures["load the data"] = seconds(config.data.load)
    dataset = config.data.load()
    figures["mean of the training split"] = seconds(dataset.train_mean)
    mean_D, features = dataset.train_mean(), dataset.features
    figures["build the model"] = seconds(lambda: config.model.build(features, seeded("weights", 0), mean_D))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        start = time.perf_counter()
        first: list[float] = []

        def watch(progress: Progress) -> None:
            if progress.step and not first:
                first.append(time.perf_counter() - start)

        result = run(config, out / "run", phase="search", progress=watch)
        figures["run: start to first step told"] = first[0]
        figures["run: whole, 2 epochs, search"] = time.perf_counter() - start
    rows = result.evaluations
    figures["epoch, evaluation included"] = rows[2]["time"] - rows[1]["time"]
    figures["step (median)"] = rows[2]["time/step_ms"] / 1e3
    figures["of it clipping and update"] = rows[2]["time/optimizer_ms"] / 1e3
    model = config.model.build(features, seeded("weights", 0), mean_D).eval()
    train_rows = dataset.train[:10_000]
    figures["evaluate 10,000 samples"] = seconds(lambda: evaluate(model, dataset.take, train_rows), 3)
    figures["the same with the training code"] = seconds(
        lambda: evaluate_training_code(model, dataset.take, train_rows, config.data.batch_size), 3
    )
    figures["refit the probe"] = seconds(lambda: refit(model, dataset, 0, test=True))
    figures["baseline on pixels"] = seconds(lambda: baseline_pixels(dataset, 0, test=True))
    width = max(map(len, figures))
    for name, value in figures.items():
        print(f"{name:{width}}  {1e3 * value:10.1f} ms  {value / figures['step (median)']:9.1f} steps")
    print(json.dumps(result.provenance["versions"]))


if __name__ == "__main__":
    main()
