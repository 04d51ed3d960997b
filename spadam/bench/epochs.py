"""Cases of an epoch: through the whole platform over a bare loop, and a plain Lightning baseline over the platform.

The platform is :func:`spadam.training.run.run` into a folder: Lightning, ledger, diagnostics, checkpoints, W&B offline,
the probe. The bare loop makes the very same steps. It has its turn whenever the platform has finished an epoch and says
so through ``progress``: the two alternate within one training, and end with the same weights.

An epoch is timed from the end of its first step to the end of its last, or whole: with the evaluations before it and
the checkpoint, where the bare loop makes the evaluations too.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from spadam.bench.bare import BareLoop
from spadam.bench.baseline import Baseline
from spadam.bench.case import Case, Measured, Settings, measured
from spadam.bench.images import Images, find_images
from spadam.bench.timing import compare, timed
from spadam.config import RunConfig, TrainerSpec
from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.spec import AutoencoderSpec, ProbeSpec
from spadam.optim import LazyAdamSpec
from spadam.tracking import TrackingSpec
from spadam.training.progress import Progress
from spadam.training.run import run

LATENTS, K = 1000, 25

EPOCHS, QUICK_EPOCHS = 8, 4
"""Epochs that are compared; one more before them warms up."""

ROUNDS = 3
"""Trainings of either side against the baseline, whose epochs are long."""

Other = Callable[[], None]
"""What has its turn between two epochs of the platform."""


class Epoch(NamedTuple):
    """Seconds of an epoch of the platform."""

    step: float
    """Of a step: the mean over all but the first."""
    whole: float
    """Of everything, the evaluations before it included."""


class _Turns:
    """Is told how far the platform is; times its epochs, and lets ``other`` have its turn after each."""

    def __init__(self, other: Other) -> None:
        self.epochs: list[Epoch] = []
        self._other = other
        self._first: tuple[int, float] | None = None
        self._resumed = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.perf_counter()
        if progress.doing == "training":
            self._first = self._first or (progress.step, now)
            return
        if self._first is not None:  # the evaluation that ends an epoch, not the one before the first
            step, began = self._first
            self.epochs.append(Epoch((now - began) / (progress.step - step), now - self._resumed))
            self._first = None
            self._other()
        self._resumed = time.perf_counter()


def configure(
    images: Images, epochs: int, threads: int, latents: int = LATENTS, k: int = K, *, probe: bool = True
) -> RunConfig:
    """The training that is measured."""
    model = {"latents": latents, "rule": {"name": "top_k", "k": k}}
    return RunConfig(
        data=images.spec,
        model=AutoencoderSpec.model_validate(model),
        optimizer=LazyAdamSpec(lr=1e-3),
        probe=ProbeSpec() if probe else None,
        trainer=TrainerSpec(epochs=epochs, threads=threads),
        tracking=TrackingSpec(mode="offline"),
    )


def through_platform(config: RunConfig, other: Other = lambda: None) -> tuple[list[Epoch], SparseAutoencoder]:
    """The epochs of a training into a folder, and what came of it; ``other`` has its turn after each.

    Raises RuntimeError when an epoch passes faster than the training tells of its steps.
    """
    turns = _Turns(other)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        out = Path(folder) / "run"
        run(config, out, phase="search", progress=turns)
        if len(turns.epochs) != config.trainer.epochs:
            raise RuntimeError("the epochs are too short: the training did not tell of a step in each")
        return turns.epochs, SparseAutoencoder.load(out)


def over_bare_loop(whole: bool, settings: Settings) -> Measured:
    """The platform over the bare loop. Raises AssertionError when the two do not end with the same weights."""
    images = find_images(settings)
    count = QUICK_EPOCHS if settings.effort.quick else EPOCHS
    config = configure(images, count + 1, settings.threads)
    bare = BareLoop(config, images.load())
    others: list[float] = []

    def turn() -> None:
        others.append(timed(bare.evaluated_epoch) if whole else bare.epoch())

    epochs, trained = through_platform(config, turn)
    torch.testing.assert_close(trained.state_dict(), bare.task.model.state_dict(), rtol=0, atol=0)
    ours = [epoch.whole if whole else epoch.step for epoch in epochs]
    pairs = list(zip(ours, others, strict=True))[1:]  # the first warms up
    what = "a whole epoch" if whole else "a step, the mean over an epoch"
    return measured(compare(pairs), f"{what}; {images.note}; {len(bare.batches)} steps an epoch; the same weights")


def baseline_over_ours(settings: Settings) -> Measured:
    """A plain Lightning training over ours through the whole platform, by the step."""
    images = find_images(settings)
    dataset = images.load()
    batch = images.spec.batch_size
    baseline = Baseline(dataset, LATENTS, K, batch, settings.threads)
    pairs = []
    for _ in range(1 if settings.effort.quick else ROUNDS):
        theirs = baseline.epoch()
        epochs, _ = through_platform(configure(images, 2, settings.threads, probe=False))
        pairs.append((theirs, epochs[-1].step))
    note = f"a step, the mean over an epoch; {images.note}; {len(dataset.train) // batch} steps an epoch"
    return measured(compare(pairs), note)


CASES = (
    Case(
        name="platform / bare loop: an epoch's steps, 1000 latents, k 25, batch 128",
        bar=1.15,
        direction="at most",
        says="From the first step of an epoch to its last through the whole platform (Lightning, ledger, diagnostics, "
        "W&B offline, probe) over a bare loop of the same steps; the evaluations between epochs are in neither.",
        measure=lambda settings: over_bare_loop(False, settings),
        seconds=45,
        quick=True,
    ),
    Case(
        name="platform / bare loop: a whole epoch, 1000 latents, k 25, batch 128",
        bar=1.15,
        direction="at most",
        says="A whole epoch through the platform, its evaluations and its checkpoint included, over a bare loop of the "
        "same steps that makes the same evaluations.",
        measure=lambda settings: over_bare_loop(True, settings),
        seconds=45,
        quick=True,
    ),
    Case(
        name="baseline epoch / ours: 1000 latents, k 25, batch 128",
        bar=4.0,
        direction="at least",
        says="Plain Lightning (a DataLoader of PIL images through ToTensor, masks, autograd, torch.optim.Adam; "
        "no diagnostics) over ours through the whole platform, by the steps of an epoch; neither has a probe.",
        measure=baseline_over_ours,
        seconds=60,
        quick=True,
    ),
)
