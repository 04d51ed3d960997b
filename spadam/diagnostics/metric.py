"""What the name of a metric stands for."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

Split = Literal["train", "val", "test"]
"""As it stands before the names of metrics."""

TRAIN = "training split, at most 10,000 samples"
VALIDATION = "validation split"
TEST = "test split"
SINCE = "training steps since the last evaluation"
"""Over what many metrics are taken."""


class Metric(NamedTuple):
    """What a name stands for."""

    name: str
    """``group/what``."""
    unit: str
    """Unit of the number; a share lies in [0, 1]."""
    over: str
    """The samples, rows or steps that it is taken over."""
    formula: str
    """How it is computed, in one sentence."""
    split: Split | None = None
    """The split whose samples it needs; None where the training itself gives it."""
    labels: bool = False
    """It needs a probe, and so samples with classes."""
    array: bool = False
    """It is more than one number, and stands under ``arrays``."""
    searchable: bool = True
    """A search may be judged by it: its trials measure it, and the configuration alone determines it."""
    refit: bool = False
    """Only a run that fits the probe's regression has it; in a search, a probe objective makes the trials do so."""
    final: bool = False
    """It is measured once, when the training has ended."""

    least: int = 1
    """So many samples of its split it needs: a spread needs two."""
    silence: bool = False
    """It is measured once `trainer.silent_after` training samples have been seen."""
    denominator: bool = False
    """Only an optimizer that divides its updates has it."""
    clipping: bool = False
    """Only a training with `trainer.clip_norm` has it."""
    targets: bool = False
    """Only samples with targets of their own (`data.target`) have it."""
    larger_is_better: bool = False
    """Nobody wants it small."""
    smaller_is_better: bool = False
    """Nobody wants it large, though it is neither an error nor a time."""
    error: bool = False
    """It is an error: above 0, and two of it are compared by their ratio."""
    undefined: str = ""
    """When it is no finite number though it is measured, as the end of "it is so when"."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which values it lies whatever is measured."""
        return (0.0, 1.0) if self.unit == "share" else (-math.inf, math.inf)

    @property
    def is_time(self) -> bool:
        """Whether it is a time, which the machine decides and not the configuration."""
        return self.unit in ("ms", "s")

    @property
    def has_good_side(self) -> bool:
        """Whether one can say of two of it which is better."""
        return self.error or self.is_time or self.larger_is_better or self.smaller_is_better

    @property
    def prunable(self) -> bool:
        """Whether every evaluation measures it, so that a trial can be cut short by it."""
        return self.searchable and not (self.final or self.refit)
