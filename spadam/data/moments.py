"""The moments of training samples: what inputs are centred and scaled by, and how far from centred they are.

Shapes: N samples, D features.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from spadam.data.samples import CHUNK, Samples


class Moments(NamedTuple):
    """Of the samples of a split as they are stored, not scaled."""

    mean_D: Tensor
    """Of every feature, (D,) float64."""
    variance_D: Tensor
    """The mean square about the mean, (D,) float64."""
    norm: float
    """The mean of the Euclidean norms."""

    @property
    def square(self) -> float:
        """The mean of the squared norms."""
        # numpy sums in one thread: the number must not depend on how many there are
        return float((self.mean_D.square() + self.variance_D).cpu().numpy().sum())


def moments(samples: Samples, rows_N: Tensor) -> Moments:
    """The moments of the samples ``rows_N``, at least one, on their device.

    They are summed in float64 in one pass, forwards through the file of a memory-mapped set, and kept as long as the
    samples are: trainings that share them share the pass.
    """
    kept = _kept.setdefault(samples, {})
    split = hashlib.sha256(rows_N.cpu().numpy().data).digest()
    if split not in kept:
        kept[split] = _measure(samples, rows_N)
    return kept[split]


def _measure(samples: Samples, rows_N: Tensor) -> Moments:
    """Squares are summed about the mean of the first samples, which is near that of all: nothing cancels."""
    rows, features = rows_N.sort().values, samples.x.shape[1]
    sum_D = torch.zeros(features, dtype=torch.float64, device=samples.x.device)
    squares_D, norms, centre_D = torch.zeros_like(sum_D), 0.0, None
    for start in range(0, len(rows), step := max(1, CHUNK // features)):
        x_ND = samples.take(rows[start : start + step].to(samples.x.device)).double()
        sum_D += x_ND.sum(0)
        norms += float(torch.linalg.vector_norm(x_ND, dim=1).cpu().numpy().sum())
        centre_D = x_ND.mean(0) if centre_D is None else centre_D
        squares_D += x_ND.sub_(centre_D).square_().sum(0)
    mean_D = sum_D / len(rows)
    about_D = mean_D if centre_D is None else mean_D - centre_D
    return Moments(mean_D, (squares_D / len(rows) - about_D.square()).clamp_min(0), norms / len(rows))


_kept: WeakKeyDictionary[Samples, dict[bytes, Moments]] = WeakKeyDictionary()
