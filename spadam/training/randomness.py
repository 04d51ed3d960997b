"""The global random generators of a process: torch's (CPU and GPU), NumPy's, Python's own.

What is ours draws from generators of its own, made anew from the seed and a purpose
(:func:`spadam.data.splits.seeded`), so that nothing it draws depends on what was drawn before. A task or an optimizer
of your own may draw from the global ones, as torch's layers do when they are made, and dropout in every step. A
training seeds them, saves where they stand in its checkpoints, and leaves them to its caller as they were.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from typing_extensions import override

from spadam.data.splits import seeded


@contextlib.contextmanager
def generators(seed: int, device: torch.device) -> Iterator[None]:
    """The global generators as a training with ``seed`` on ``device`` finds them; after it they are as before."""
    before, number = _states(device), seeded("generators", seed).initial_seed()
    torch.manual_seed(number)
    np.random.seed(number)  # noqa: NPY002 # the global one is what others draw from
    random.seed(number)
    try:
        yield
    finally:
        _restore(before, device)


class Generators(pl.Callback):
    """Keeps where the global generators stand in every checkpoint, and has a resumed training go on from there."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._loaded: Mapping[str, Any] | None = None

    @override
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._loaded is not None:  # what is made ready before the first step may have drawn something
            _restore(self._loaded, self._device)
            self._loaded = None

    @override
    def state_dict(self) -> dict[str, Any]:
        return _states(self._device)

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._loaded = state_dict
        _restore(state_dict, self._device)  # there may be no step left, and something drawn after the last


def _states(device: torch.device) -> dict[str, Any]:
    """Where the global generators stand, as tensors and plain values: a checkpoint holds nothing else."""
    name, key_K, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002
    assert name == "MT19937", "the global generator of NumPy has no other"
    version, numbers, next_gauss = random.getstate()
    found = {
        "torch": torch.get_rng_state(),
        "numpy": [torch.from_numpy(np.asarray(key_K).astype(np.int64)), position, has_gauss, gauss],
        "python": [version, list(numbers), next_gauss],
    }
    return {**found, "cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else found


def _restore(states: Mapping[str, Any], device: torch.device) -> None:
    key_K, position, has_gauss, gauss = states["numpy"]
    version, numbers, next_gauss = states["python"]
    torch.set_rng_state(states["torch"].cpu())
    np.random.set_state(("MT19937", key_K.cpu().numpy().astype(np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    random.setstate((version, tuple(numbers), next_gauss))
    if device.type == "cuda" and "cuda" in states:  # a training may go on elsewhere than it was begun
        torch.cuda.set_rng_state(states["cuda"].cpu(), device)
