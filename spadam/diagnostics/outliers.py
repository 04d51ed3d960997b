"""Whether a few samples, or a few of their targets, carry the squares that errors are held against.

Shapes: B samples of a block, N samples that are looked at, D features.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from spadam.data import Dataset
from spadam.data.samples import CHUNK
from spadam.diagnostics.reconstruction import EVALUATED_TRAIN
from spadam.diagnostics.warned import Warned

FURTHEST = 0.01
"""The share of samples that is looked at for outliers: those furthest from the mean."""

MOST = 0.2
"""Above this share of the sum of squares they are outliers. Of images they hold some 2 %."""


class Outliers(NamedTuple):
    """The samples furthest from the mean of all."""

    samples: int
    """So many, one in a hundred."""
    share: float
    """Their part of the sum of squares about the mean, in [0, 1]."""
    times: float
    """How many times as far as the median sample the furthest one lies; infinite where that one is the mean."""


def find(dataset: Dataset, *, targets: bool = False) -> Outliers | None:
    """The outliers of the training samples that evaluations look at: 10,000 at most, the first of their order.

    With ``targets``, the outliers among their targets. None under 100 samples, and of what is all equal. Squares are
    summed in float64, about the mean of every feature.
    """
    rows_N = dataset.forwards(dataset.train[:EVALUATED_TRAIN])
    if (count := int(FURTHEST * len(rows_N))) < 1:
        return None
    take, features = (dataset.take_target, dataset.targets) if targets else (dataset.take, dataset.features)
    blocks = torch.split(rows_N, max(1, CHUNK // (features or dataset.features)))
    mean_D: Tensor = sum((take(rows_B).double().sum(0) for rows_B in blocks), torch.zeros(())) / len(rows_N)
    squares_N = torch.cat([(take(rows_B).double() - mean_D).square().sum(1) for rows_B in blocks])
    if not (whole := float(squares_N.sum())):
        return None
    furthest = squares_N.topk(count).values
    median = squares_N.median()
    return Outliers(count, float(furthest.sum()) / whole, float((furthest[0] / median).sqrt()))


def warn(dataset: Dataset) -> list[Warned]:
    """What a reader of mse and fvu must know of the samples, and of their targets where these are others."""
    about_errors = "mse and fvu are mostly about them"
    instead = "or see val/fvu_median_sample"
    if dataset.targets is None:
        told = f"{about_errors}; leave them out with data.exclude, {instead}"
        return _warn(find(dataset), "training samples", told)
    of_targets = f"{about_errors}; leave their samples out with data.exclude.mask, {instead}"
    of_samples = "the encoder learns mostly from them; leave them out with data.exclude"
    return [
        *_warn(find(dataset, targets=True), "targets of the training samples", of_targets),
        *_warn(find(dataset), "training samples", of_samples),
    ]


def _warn(found: Outliers | None, of: str, told: str) -> list[Warned]:
    if found is None or found.share <= MOST:
        return []
    text = (
        f"outliers: the {FURTHEST:.0%} of the {of} that lie furthest from their mean hold {found.share:.0%} of the sum "
        f"of squares, the furthest one lying {found.times:.3g} times as far out as the median: {told}"
    )
    return [Warned("outliers", text, {"share": found.share, "times": found.times, "samples": found.samples})]
