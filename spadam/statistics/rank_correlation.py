"""How steadily one quantity goes up or down with another, whatever their scales: Spearman's rho."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import correlation


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float:
    """Pearson's correlation of the ranks, in [-1, 1]; equal values share the mean of their ranks.

    0 where one of the two is the same everywhere.

    >>> rank_correlation([(1, 10), (2, 100), (3, 1000)]), rank_correlation([(1, 5), (2, 5)])
    (1.0, 0.0)
    """
    first, second = (_ranks([pair[n] for pair in pairs]) for n in (0, 1))
    return correlation(first, second) if len(set(first)) > 1 and len(set(second)) > 1 else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values)):
        places.setdefault(value, []).append(place)
    return [sum(places[value]) / len(places[value]) for value in values]
