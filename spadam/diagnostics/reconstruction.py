"""How well samples are reconstructed: with the evaluation code, and as they were in training.

Shapes: B samples of a block, D features, E features of what is reconstructed (D, unless there are targets), L latents,
N rows that are evaluated.
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
    """Sum of the squared errors / (samples x features of what is reconstructed)."""
    fvu: float
    """Sum of the squared errors / sum of squares of what is reconstructed about the per-feature mean; NaN if all of it
    is equal."""

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

    Targets are taken about the mean of the first block, which is near the mean of all: nothing cancels when the
    distance of the two is taken out at the end, and equal targets have no squares at all.
    """

    def __init__(self) -> None:
        self._samples = self._elements = 0
        self._errors: Tensor | float = 0.0
        self._squares: Tensor | float = 0.0

    def add(self, target_BE: Tensor, reconstruction_BE: Tensor) -> Tensor:
        """Take note of what was to be reconstructed, at least one, and of what was; the squared errors, (B, E)."""
        if self._samples == 0:
            self._centre_E = target_BE.mean(0, dtype=torch.float64).to(target_BE.dtype)
            self._sum_E = torch.zeros_like(self._centre_E, dtype=torch.float64)
        self._samples += len(target_BE)
        self._elements += target_BE.numel()
        errors_BE = torch.square(reconstruction_BE - target_BE)
        self._errors = self._errors + _sum(errors_BE)
        centred_BE = target_BE - self._centre_E
        self._sum_E += centred_BE.sum(0, dtype=torch.float64)
        self._squares = self._squares + _sum(centred_BE.square_())
        return errors_BE

    def result(self) -> Reconstruction:
        """Both measures over everything that was added."""
        if self._samples == 0:
            return Reconstruction(math.nan, math.nan)
        errors = float(self._errors)
        squares = float(self._squares - self._sum_E.square().sum() / self._samples)
        return Reconstruction(mse=errors / self._elements, fvu=errors / squares if squares > 0 else math.nan)


@torch.no_grad()
def evaluate(
    autoencoder: SparseAutoencoder,
    take: Take,
    rows_N: Tensor,
    squares_N: Tensor | None = None,
    take_target: Take | None = None,
) -> Evaluation:
    """Reconstruct the samples ``rows_N`` with the evaluation code; in the same pass, count which latents it uses.

    ``take_target`` gives what is to be reconstructed of them; None: themselves. With the ``squares_N`` of that about a
    centre, which stay the same while a model is trained
    (:func:`~spadam.diagnostics.median_sample.squares_about_median`), the FVU of the median sample is among it. Changes
    nothing, whatever the mode; a bounded number of scores exists at a time. Without rows everything is NaN. A rule
    whose evaluation code has to be learnt (`batch_top_k`) is evaluated block by block before it was.
    """
    errors, errors_N = SquaredErrors(), []
    counts = UsageCounts(autoencoder.spec.latents, autoencoder.decoder_bias.device)
    for rows_B in _blocks(autoencoder, rows_N):
        x_BD = _taken(autoencoder, take, rows_B)
        target_BE = x_BD if take_target is None else _taken(autoencoder, take_target, rows_B)
        code = autoencoder.encode(x_BD)
        errors_BE = errors.add(target_BE, autoencoder.decode(code))
        if squares_N is not None:
            errors_N.append(errors_BE.sum(1))  # a sample's own digits suffice: sums in float64 took ten times as long
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
        blocks = _blocks(autoencoder, rows_N)
        scores = (autoencoder.scores(_taken(autoencoder, take, rows_B)) for rows_B in blocks)
        autoencoder.rule.calibrate(len(rows_N), scores)


@torch.no_grad()
def evaluate_training_code(
    autoencoder: SparseAutoencoder, take: Take, rows_N: Tensor, batch_size: int, take_target: Take | None = None
) -> Reconstruction:
    """Reconstruct the samples ``rows_N`` in batches of ``batch_size`` as a training step does; change nothing.

    ``take_target`` gives what is to be reconstructed of them; None: themselves. An incomplete last batch is left out,
    as in training; fewer rows than one batch are one batch.
    """
    errors = SquaredErrors()
    size = min(batch_size, max(1, len(rows_N)))
    for start in range(0, len(rows_N) - size + 1, size):
        rows_B = rows_N[start : start + size]
        x_BD = _taken(autoencoder, take, rows_B)
        target_BE = x_BD if take_target is None else _taken(autoencoder, take_target, rows_B)
        errors.add(target_BE, autoencoder.reconstruct_as_trained(x_BD).reconstruction_BD)
    return errors.result()


def _sum(x_BD: Tensor) -> Tensor:
    return x_BD.sum(dtype=torch.float64)


def _blocks(autoencoder: SparseAutoencoder, rows_N: Tensor) -> Iterator[Tensor]:
    """The rows, so many at a time that their scores and what is reconstructed stay in cache."""
    size = max(_LEAST, _BLOCK // max(autoencoder.spec.latents, autoencoder.features, autoencoder.targets or 0))
    for start in range(0, len(rows_N), size):
        yield rows_N[start : start + size]


def _taken(autoencoder: SparseAutoencoder, take: Take, rows_B: Tensor) -> Tensor:
    """What ``take`` gives, samples or targets, on the device and in the type of the weights."""
    return take(rows_B).to(autoencoder.decoder_bias)
