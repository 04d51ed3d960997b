"""How well samples are reconstructed: with the evaluation code, and as they were in training.

Shapes: B samples of a block, D features, L latents, N rows that are evaluated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from spadam.diagnostics.code_usage import CodeUsage, UsageCounts
from spadam.diagnostics.median_sample import Take, fvu_median_sample
from spadam.models.autoencoder import SparseAutoencoder

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
    fvu_median_sample: float = math.nan
    """The FVU of the median sample, where it was asked for."""


class SquaredErrors:
    """Sums the squares of errors and about the mean in float64, block after block, without waiting for the device.

    Samples are taken about the mean of the first block, which is near the mean of all: nothing cancels when the
    distance of the two is taken out at the end, and equal samples have no squares at all.
    """

    def __init__(self) -> None:
        self._samples = self._elements = 0
        self._errors: Tensor | float = 0.0
        self._squares: Tensor | float = 0.0

    def add(self, x_BD: Tensor, reconstruction_BD: Tensor) -> Tensor:
        """Take note of samples and of their reconstruction, at least one; their squared errors, (B, D)."""
        if self._samples == 0:
            self._centre_D = x_BD.mean(0, dtype=torch.float64).to(x_BD.dtype)
            self._sum_D = torch.zeros_like(self._centre_D, dtype=torch.float64)
        self._samples += len(x_BD)
        self._elements += x_BD.numel()
        errors_BD = torch.square(reconstruction_BD - x_BD)
        self._errors = self._errors + _sum(errors_BD)
        centred_BD = x_BD - self._centre_D
        self._sum_D += centred_BD.sum(0, dtype=torch.float64)
        self._squares = self._squares + _sum(centred_BD.square_())
        return errors_BD

    def result(self) -> Reconstruction:
        """Both measures over everything that was added."""
        if self._samples == 0:
            return Reconstruction(math.nan, math.nan)
        errors = float(self._errors)
        squares = float(self._squares - self._sum_D.square().sum() / self._samples)
        return Reconstruction(mse=errors / self._elements, fvu=errors / squares if squares > 0 else math.nan)


@torch.no_grad()
def evaluate(autoencoder: SparseAutoencoder, take: Take, rows_N: Tensor, squares_N: Tensor | None = None) -> Evaluation:
    """Reconstruct the samples ``rows_N`` with the evaluation code; in the same pass, count which latents it uses.

    With their ``squares_N`` about a centre, which stay the same while a model is trained
    (:func:`~spadam.diagnostics.median_sample.squares_about_median`), the FVU of the median sample is among it. Changes
    nothing, whatever the mode; a bounded number of scores exists at a time. Without rows everything is NaN. A rule
    whose evaluation code has to be learnt (`batch_top_k`) is evaluated block by block before it was.
    """
    errors, errors_N = SquaredErrors(), []
    counts = UsageCounts(autoencoder.spec.latents, autoencoder.decoder_bias.device)
    for x_BD in _blocks(autoencoder, take, rows_N):
        code = autoencoder.encode(x_BD)
        errors_BD = errors.add(x_BD, autoencoder.decode(code))
        if squares_N is not None:
            errors_N.append(errors_BD.sum(1))  # a sample's own digits suffice: sums in float64 took ten times as long
        counts.add(code)
    median = math.nan if squares_N is None or not errors_N else fvu_median_sample(torch.cat(errors_N), squares_N)
    return Evaluation(errors.result(), counts.result(), median)


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
