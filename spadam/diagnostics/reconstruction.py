"""How well samples are reconstructed: with the evaluation code, and as they were in training.

Shapes: B samples of a block, D features, L latents, N rows that are evaluated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from spadam.diagnostics.code_usage import CodeUsage, UsageCounts
from spadam.models.autoencoder import SparseAutoencoder

Take = Callable[[Tensor], Tensor]
"""Gives the samples (B, D) at int64 indices (B,)."""

EVALUATED_TRAIN = 10_000
"""Of the training split, at most so many samples are evaluated: the first ones of its (seeded) order."""

_BLOCK = 1 << 20
"""Scores or features worked on at a time: they stay in cache. It decides last digits, so it is no argument."""

_LEAST = 128
"""Samples worked on at a time, at least: products of fewer are slow."""


class Reconstruction(NamedTuple):
    """How well a set was reconstructed; NaN where that is not defined."""

    mse: float
    """Sum of the squared errors / (samples x features)."""
    fvu: float
    """Sum of the squared errors / sum of squares about the per-feature mean; NaN if all samples are equal."""

    def metrics(self, split: str, *, training_code: bool = False) -> dict[str, float]:
        """Under their names for the split `train`, `val` or `test`."""
        suffix = "_training_code" if training_code else ""
        return {f"{split}/mse{suffix}": self.mse, f"{split}/fvu{suffix}": self.fvu}


class Evaluation(NamedTuple):
    """What one pass with the evaluation code gives."""

    reconstruction: Reconstruction
    usage: CodeUsage


class SquaredErrors:
    """Sums the squares of errors and about the mean in float64, block after block, without waiting for the device.

    Samples are taken about the mean of the first block, which is near the mean of all: nothing cancels when the
    distance of the two is taken out at the end, and equal samples have no squares at all.
    """

    def __init__(self) -> None:
        self._samples = self._elements = 0
        self._errors: Tensor | float = 0.0
        self._squares: Tensor | float = 0.0

    def add(self, x_BD: Tensor, reconstruction_BD: Tensor) -> None:
        """Take note of samples and of their reconstruction; at least one."""
        if self._samples == 0:
            self._centre_D = x_BD.mean(0, dtype=torch.float64).to(x_BD.dtype)
            self._sum_D = torch.zeros_like(self._centre_D, dtype=torch.float64)
        self._samples += len(x_BD)
        self._elements += x_BD.numel()
        self._errors = self._errors + _sum(torch.square(reconstruction_BD - x_BD))
        centred_BD = x_BD - self._centre_D
        self._sum_D += centred_BD.sum(0, dtype=torch.float64)
        self._squares = self._squares + _sum(centred_BD.square_())

    def result(self) -> Reconstruction:
        """Both measures over everything that was added."""
        if self._samples == 0:
            return Reconstruction(math.nan, math.nan)
        errors = float(self._errors)
        squares = float(self._squares - self._sum_D.square().sum() / self._samples)
        return Reconstruction(mse=errors / self._elements, fvu=errors / squares if squares > 0 else math.nan)


@torch.no_grad()
def evaluate(autoencoder: SparseAutoencoder, take: Take, rows_N: Tensor) -> Evaluation:
    """Reconstruct the samples ``rows_N`` with the evaluation code; in the same pass, count which latents it uses.

    Changes nothing, whatever the mode; a bounded number of scores exists at a time. Without rows everything is NaN. A
    rule whose evaluation code has to be learnt (`batch_top_k`) is evaluated block by block before it was.
    """
    errors = SquaredErrors()
    counts = UsageCounts(autoencoder.spec.latents, autoencoder.decoder_bias.device)
    for x_BD in _blocks(autoencoder, take, rows_N):
        code = autoencoder.encode(x_BD)
        errors.add(x_BD, autoencoder.decode(code))
        counts.add(code)
    return Evaluation(errors.result(), counts.result())


@torch.no_grad()
def calibrate(autoencoder: SparseAutoencoder, take: Take, rows_N: Tensor) -> None:
    """Have the rule find out from the training samples ``rows_N``, at least one, what its evaluation code needs.

    The scores are those that :func:`evaluate` sees. Nothing is computed for a rule that needs nothing, nor where
    `evaluation: per_sample_k` takes its place.
    """
    if autoencoder.spec.evaluation == "native":
        scores = (autoencoder.scores(x_BD) for x_BD in _blocks(autoencoder, take, rows_N))
        autoencoder.rule.calibrate(len(rows_N), scores)


@torch.no_grad()
def evaluate_training_code(
    autoencoder: SparseAutoencoder, take: Take, rows_N: Tensor, batch_size: int
) -> Reconstruction:
    """Reconstruct the samples ``rows_N`` in batches of ``batch_size`` as a training step does; change nothing.

    An incomplete last batch is left out, as in training; fewer rows than one batch are one batch.
    """
    errors = SquaredErrors()
    size = min(batch_size, max(1, len(rows_N)))
    for start in range(0, len(rows_N) - size + 1, size):
        x_BD = _samples(autoencoder, take, rows_N[start : start + size])
        errors.add(x_BD, autoencoder.reconstruct_as_trained(x_BD).reconstruction_BD)
    return errors.result()


def _sum(x_BD: Tensor) -> Tensor:
    return x_BD.sum(dtype=torch.float64)


def _blocks(autoencoder: SparseAutoencoder, take: Take, rows_N: Tensor) -> Iterator[Tensor]:
    """The samples ``rows_N``, so many at a time that their scores stay in cache."""
    size = max(_LEAST, _BLOCK // max(autoencoder.spec.latents, autoencoder.features))
    for start in range(0, len(rows_N), size):
        yield _samples(autoencoder, take, rows_N[start : start + size])


def _samples(autoencoder: SparseAutoencoder, take: Take, rows_B: Tensor) -> Tensor:
    return take(rows_B).to(autoencoder.decoder_bias)
