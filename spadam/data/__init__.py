"""Datasets: each one a file here, and its name in the union below, which is the registry.

``spec.load()`` gives a :class:`Dataset`, ``Batches(dataset, dataset.train, batch_size, seed)`` what a training goes
through; they are imported when they are asked for, since they need torch.
"""

import importlib
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import Field

from spadam.data.array import ArraySpec
from spadam.data.digits import DigitsSpec
from spadam.data.mnist import FashionMnistSpec, MnistSpec
from spadam.data.source import BaseDatasetSpec
from spadam.data.synthetic import SyntheticSpec

if TYPE_CHECKING:
    from spadam.data.batches import Batches
    from spadam.data.dataset import Batch, Dataset

DatasetSpec = Annotated[
    DigitsSpec | MnistSpec | FashionMnistSpec | SyntheticSpec | ArraySpec, Field(discriminator="name")
]
"""Whichever dataset a configuration names."""

DATASETS: tuple[type[BaseDatasetSpec], ...] = get_args(get_args(DatasetSpec)[0])
"""The members of the registry."""

_NEEDS_TORCH = {"Batch": "dataset", "Batches": "batches", "Dataset": "dataset"}
"""Where each name is that is imported when it is asked for."""


def __getattr__(name: str) -> Any:
    if name not in _NEEDS_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_NEEDS_TORCH[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_NEEDS_TORCH})


__all__ = [
    "DATASETS",
    "ArraySpec",
    "BaseDatasetSpec",
    "Batch",
    "Batches",
    "Dataset",
    "DatasetSpec",
    "DigitsSpec",
    "FashionMnistSpec",
    "MnistSpec",
    "SyntheticSpec",
]
