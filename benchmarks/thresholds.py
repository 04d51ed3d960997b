"""What batch_top_k is judged by: L0 in training and in evaluation, for each way to its threshold.

    python benchmarks/thresholds.py

One table, of scikit-learn's digits (256 latents, k 8, batch 32, adam). The three ways share one training, to the last
bit: only the evaluation code differs. L0 is counted on the training samples, of which a calibrated threshold is made,
and on validation samples, of which it knows nothing.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from spadam.config import RunConfig
from spadam.models.autoencoder import SparseAutoencoder
from spadam.training.run import run

K = 8
THRESHOLDS = ("mean", "ema", "calibrated")
TRAININGS = {
    "100 steps, lr 1e-3": (1e-3, {"epochs": None, "steps": 100}),
    "100 steps, lr 1e-2": (1e-2, {"epochs": None, "steps": 100}),
    "20 epochs, lr 1e-3": (1e-3, {"epochs": 20}),
}


class Judged(NamedTuple):
    """What came of a training; every number of its end, but that ``in_training`` is the mean of its last epoch."""

    training: str
    threshold: str
    in_training: float
    on_training_samples: float
    on_validation: float
    fvu: float
    warned: bool


def judge(training: str, threshold: str) -> Judged:
    lr, trainer = TRAININGS[training]
    config = RunConfig.model_validate(
        {
            "data": {"name": "digits", "batch_size": 32},
            "model": {
                "latents": 256,
                "rule": {"name": "batch_top_k", "k": K, "threshold": threshold},
            },
            "optimizer": {"name": "adam", "lr": lr},
            "probe": None,
            "trainer": trainer,
            "tracking": {"mode": "disabled"},
        }
    )
    with TemporaryDirectory() as folder:
        result = run(config, Path(folder))
        model = SparseAutoencoder.load(folder)
    dataset = config.data.load()
    values_P = model.encode(dataset.take(dataset.train)).values_P
    of = {name: value for name, value in result.metrics.items() if value is not None}
    return Judged(
        training,
        threshold,
        of["sparsity/l0_train"],
        int((values_P != 0).sum()) / len(dataset.train),
        of["sparsity/l0_eval"],
        of["val/fvu"],
        "l0_differs" in [warning["code"] for warning in result.warnings],
    )


def table(found: list[Judged]) -> str:
    lines = [
        "| training | threshold | L0 in training | on training samples | on validation | val/fvu | warned |",
        "|---" * 7 + "|",
    ]
    for training, threshold, in_training, on_training, on_validation, fvu, warned in found:
        numbers = f"{in_training:.2f} | {on_training:.2f} | {on_validation:.2f} | {fvu:.3f}"
        lines.append(f"| {training} | {threshold} | {numbers} | {'yes' if warned else 'no'} |")
    return "\n".join(lines)


def main() -> None:
    print(table([judge(training, threshold) for training in TRAININGS for threshold in THRESHOLDS]))


if __name__ == "__main__":
    main()
