"""On which axes a better trial may lie beyond a bound of the range: what the advice to widen it rests on."""

from __future__ import annotations

from spadam.statistics.rank_correlation import rank_correlation
from spadam.sweep.definition.space import Axis, Bound
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search, value_of
from spadam.sweep.search.objective import judge

MOVED = 0.3
"""From this rank correlation on, of an axis and a metric over the trials, the metric is taken to follow the axis: of 45
trials 5 % have more by chance. Advice that is wanting costs less than advice to leave a band: with relu and L1 on
digits, L0 had -0.7 to -0.9 with l1, and -0.3 to -0.5 with lr, which kills latents."""

FEWEST = 5
"""Of fewer trials nothing is known: then a metric may follow any axis."""


def near_bounds(sweep: Sweep, search: Search) -> dict[str, Bound]:
    """The axes on which the best of ``search`` lies close to a bound that may keep a better one away, and which bound.

    Of a front there are none: its ends lie at bounds because that is what ends are. Where the best lies within the
    bands of `objective.at`, an axis that moves a metric of theirs is left out: whoever goes on along it leaves the
    band, and so it is the band that holds the best there, not the range.
    """
    if search.best is None or search.front:
        return {}
    axes = sweep.variants[search.variant].axes
    params = search.best.params(sweep.variants[search.variant]) or {}
    bounds = {axis: axis.near_bound(params[axis.name]) for axis in axes if axis.name in params}
    within = judge(sweep.spec.objective).distance(search.best.metrics) == 0.0
    return {
        axis.name: bound
        for axis, bound in bounds.items()
        if bound is not None and not (within and _moves(sweep, search, axis))
    }


def _moves(sweep: Sweep, search: Search, axis: Axis) -> bool:
    """Whether a metric of the bands follows ``axis``."""
    variant = sweep.variants[search.variant]
    given = [(record, (record.params(variant) or {}).get(axis.name)) for record in search.trials]
    for metric in sweep.spec.objective.at:
        pairs = [
            (float(place), value)
            for record, place in given
            if isinstance(place, int | float) and (value := value_of(record, metric)) is not None
        ]
        if len(pairs) < FEWEST or abs(rank_correlation(pairs)) >= MOVED:
            return True
    return False
