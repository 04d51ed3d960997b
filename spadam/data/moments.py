"""The moments of samples: what inputs are centred and scaled by, and how far from centred they are.

Shapes: N samples, D features.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor


class Moments(NamedTuple):
    """What is known of samples as they are stored."""

    mean_D: Tensor
    """Of every feature, (D,) float64."""
    variance_D: Tensor
    """The mean square about the mean of every feature, (D,) float64."""
    norm: float
    """The mean of the Euclidean norms."""

    @property
    def gamma(self) -> float:
        r"""How far from centred the samples are: \|mean\| / \|standard deviation\|, both as vectors.

        0 for centred samples, infinite for equal ones about another place than 0, NaN where all are 0.
        """
        return float((self.mean_D.square().sum() / self.variance_D.sum()).sqrt())

    @property
    def square(self) -> float:
        """The mean of the squared Euclidean norms."""
        return _total(self.mean_D.square() + self.variance_D)


def moments(blocks: Iterable[Tensor]) -> Moments:
    """The moments of all samples in ``blocks``, each (N, D) and the first not empty, summed in float64.

    Squares are summed about the mean of the first block, which is near that of all: nothing cancels.
    """
    samples, norms = 0, 0.0
    for x_ND in (block_ND.double() for block_ND in blocks):
        if not samples:
            centre_D = x_ND.mean(0)
            sum_D, squares_D = centre_D.new_zeros(centre_D.shape), centre_D.new_zeros(centre_D.shape)
        samples += len(x_ND)
        sum_D += x_ND.sum(0)
        norms += _total(torch.linalg.vector_norm(x_ND, dim=1))
        squares_D += (x_ND - centre_D).square_().sum(0)
    mean_D = sum_D / samples
    return Moments(mean_D, (squares_D / samples - (mean_D - centre_D).square()).clamp_min(0), norms / samples)


def _total(numbers_N: Tensor) -> float:
    """The sum: numpy adds in one thread, so that a scale does not depend on how many there are."""
    return float(numbers_N.cpu().numpy().sum())
