"""The images that an epoch goes through: Fashion-MNIST, or noise of the same shape where its files are not there."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from spadam.bench.case import Settings
from spadam.data import Dataset, DatasetSpec, FashionMnistSpec, SyntheticSpec
from spadam.data.mnist import find_files

BATCH = 128
QUICK_BATCHES = 60
"""An epoch of a quick run."""


class Images(NamedTuple):
    """What is trained on, as a configuration names it, and what a reader should know of it."""

    spec: DatasetSpec
    note: str

    def load(self) -> Dataset:
        """The set itself."""
        return self.spec.load()


def find_images(settings: Settings) -> Images:
    """Fashion-MNIST in ``settings.fashion``, or a synthetic set of as many samples, features and classes."""
    train = QUICK_BATCHES * BATCH if settings.effort.quick else None
    if _is_there(settings.fashion):
        spec: DatasetSpec = FashionMnistSpec(root=str(settings.fashion), batch_size=BATCH, train_size=train)
        return Images(spec, "Fashion-MNIST")
    samples = 2 * QUICK_BATCHES * BATCH if settings.effort.quick else 70_000
    spec = SyntheticSpec(
        samples=samples,
        features=784,
        train_size=train,
        validation_size=samples // 14,
        test_size=samples // 7,
        batch_size=BATCH,
    )
    return Images(spec, f"a synthetic set of the same shape: {settings.fashion} does not hold Fashion-MNIST")


def _is_there(folder: Path) -> bool:
    return not find_files(folder)[1]
