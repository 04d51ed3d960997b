"""Datasets: each one a file here, and its name in the union below, which is the registry.

``spec.load()`` gives a :class:`Dataset`, ``Batches(dataset, dataset.train, batch_size, seed)`` what a training goes
through.
"""

from typing import Annotated, get_args

from pydantic import Field

from spadam.data.array import Array
from spadam.data.batches import Batches
from spadam.data.dataset import Batch, Dataset
from spadam.data.digits import Digits
from spadam.data.mnist import FashionMnist, Mnist
from spadam.data.source import DataSpec
from spadam.data.synthetic import Synthetic

DatasetSpec = Annotated[Digits | Mnist | FashionMnist | Synthetic | Array, Field(discriminator="name")]
"""Whichever dataset a configuration names."""

DATASETS: tuple[type[DataSpec], ...] = get_args(get_args(DatasetSpec)[0])
"""The members of the registry."""

__all__ = [
    "DATASETS",
    "Array",
    "Batch",
    "Batches",
    "DataSpec",
    "Dataset",
    "DatasetSpec",
    "Digits",
    "FashionMnist",
    "Mnist",
    "Synthetic",
]
