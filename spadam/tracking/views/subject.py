"""What a view is about."""

from __future__ import annotations

import hashlib
from typing import NamedTuple


class Searched(NamedTuple):
    """A key of the configuration that the sweep searches."""

    key: str
    """Dotted: `optimizer.lr`."""
    log: bool
    """Whether equal ratios are equally far apart."""


class Subject(NamedTuple):
    """A sweep, as far as what is drawn of it at W&B depends on it."""

    name: str
    metric: str
    """The objective, or the first metric of a front."""
    minimize: bool
    """Whether small values of it are good."""
    searched: tuple[Searched, ...]
    judged: tuple[str, ...]
    """The metrics that only repeats measure; empty where nothing is repeated."""
    followed: tuple[str, ...]
    """The metrics that every evaluation of some training measures, as a curve each."""
    histograms: tuple[str, ...]
    trainings: int
    """So many are planned."""
    others: tuple[str, ...] = ()
    """The other metrics of a front, and those of bands."""
    distance: str | None = None
    """What in a run's summary says how far it lies outside the bands, where there are some: 0 is within."""

    def id_of(self, *part: str) -> str:
        """A name for a part of its views, the same whenever they are made; W&B's own are drawn by chance."""
        return hashlib.sha256("\n".join((self.name, *part)).encode()).hexdigest()[:11]
