"""How a metric answers to one number: its slope, the width of what is good, what a wrong choice costs.

A *curve* is what stands at every level of one axis, all others held, with S seeds at each. Between levels it is linear
in the logarithm to the base of ten of the number; L levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from spadam.statistics.design import Design, deviation
from spadam.statistics.interval import Estimate, estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spadam.statistics.design import Floats

TOLERANCE = 0.05
"""What is no further above the best is as good as it."""

REACH = 1.5
"""So many decades to each side of the best a sensitivity is taken over."""

SPAN = 2.0
"""Over so many decades a number does nothing, or something."""

NOISE = 2.0
"""It does nothing when the metric moves by less than so many seed deviations."""

_SAME = 1e-6
"""Places that lie no further apart, in decades, are one: 1e-3 and what a grid makes of it."""


class Curve(NamedTuple):
    """A line through a design."""

    places: tuple[float, ...]
    """The levels, as logarithms to the base of ten, ascending; that of 0 is -inf."""
    values_LS: Floats
    """The metric, above 0."""
    starts_LS: Floats
    """The same before the first step, or NaN."""
    diverged_LS: NDArray[np.bool_]

    @property
    def logs_LS(self) -> Floats:
        """The natural logarithm of the metric."""
        import numpy as np

        return np.asarray(np.log(self.values_LS))

    @property
    def means_L(self) -> Floats:
        """The mean of ln metric over the seeds."""
        import numpy as np

        return np.asarray(self.logs_LS.mean(axis=1))

    @property
    def best(self) -> int:
        """The number of the level where that is lowest."""
        return int(self.means_L.argmin())


class Slope(NamedTuple):
    """d ln metric / d log10 of the number, at a place of it: -0.1 is about 10 % less for each decade more."""

    place: float
    """Where, as a logarithm to the base of ten."""
    slope: Estimate
    """The mean over the seeds, with its 95 % interval."""
    side: Literal["both", "above", "below"]
    """Between which levels: the neighbours to both sides, or at an end of the grid the place and its only neighbour."""


class Width(NamedTuple):
    """Around the best, how far one may go."""

    decades: float
    open_below: bool
    """Whether it reaches the lowest level, so that it may be wider."""
    open_above: bool


class Sensitivity(NamedTuple):
    """What the metric is above the best on average where the number is chosen blindly."""

    value: Estimate
    """In units of the metric: the mean over the seeds, with its 95 % interval."""
    low: float
    """From where to where it was taken, as logarithms to the base of ten."""
    high: float
    whole: bool
    """Whether the grid covers all that was asked for."""


class Flat(NamedTuple):
    """What a number does over two decades."""

    low: float
    """Where they begin and end, as logarithms to the base of ten; both are levels."""
    high: float
    span: float
    """The highest less the lowest mean of ln metric between them."""
    deviation: float
    """That of seeds there; see :func:`spadam.statistics.design.deviation`."""

    @property
    def nothing(self) -> bool:
        """Whether that is no more than seeds do."""
        return self.span <= NOISE * self.deviation


def curve(found: Design, axis: str, at: Sequence[int]) -> Curve:
    """The line along ``axis`` through the point with the levels ``at``; that of ``axis`` itself does not count.

    Raises ValueError where the levels of the axis are no numbers.
    """
    number = found.axes.index(axis)
    places = tuple(level for level in found.levels[number] if not isinstance(level, str))
    if len(places) < len(found.levels[number]):
        raise ValueError(f"{axis} has levels that are no numbers")
    where = tuple(slice(None) if n == number else level for n, level in enumerate(at))
    return Curve(places, found.values[where], found.starts[where], found.diverged[where])


def slope(found: Curve, place: float) -> Slope | None:
    """The slope at ``place``; None outside the grid, and on one of a single level.

    At a level it is the central difference of its neighbours, (y+ - y-) / (x+ - x-), at the first and the last one the
    one-sided one; between two levels it is theirs. It is linear in y, so the mean over seeds of their slopes is the
    slope of their mean.
    """
    last = len(found.places) - 1
    if last < 1 or not found.places[0] - _SAME <= place <= found.places[-1] + _SAME:
        return None
    here = next((n for n, level in enumerate(found.places) if abs(level - place) <= _SAME), None)
    above = next((n for n, level in enumerate(found.places) if level > place), last)
    low, high = (above - 1, above) if here is None else (max(0, here - 1), min(last, here + 1))
    rise_S = (found.logs_LS[high] - found.logs_LS[low]) / (found.places[high] - found.places[low])
    value = estimate([float(one) for one in rise_S])
    assert value is not None
    side: Literal["both", "above", "below"] = "above" if here == low else "below" if here == high else "both"
    return Slope(place, value, side)


def width(found: Curve, tolerance: float = TOLERANCE) -> Width:
    """How many decades around the best lie within ``tolerance`` of it, on the mean of ln metric over the seeds.

    That is where the piecewise linear mean is at most ln(1 + tolerance) above its lowest, as far as one gets from
    there without leaving it; another good region beyond a bad one does not count.
    """
    means, best = [float(mean) for mean in found.means_L], found.best
    limit = means[best] + math.log1p(tolerance)

    def reach(step: int) -> tuple[float, bool]:
        """Where it ends on one side, and whether the grid ends before it does."""
        inside = best
        while 0 <= inside + step < len(means) and means[inside + step] <= limit:
            inside += step
        if not 0 <= inside + step < len(means):
            return found.places[inside], True
        here, there = found.places[inside], found.places[inside + step]
        return here + (there - here) * (limit - means[inside]) / (means[inside + step] - means[inside]), False

    (low, open_below), (high, open_above) = reach(-1), reach(1)
    return Width(high - low, open_below, open_above)


def sensitivity(found: Curve, low: float, high: float) -> Sensitivity | None:
    """What a choice from ``low`` to ``high`` (logarithms to the base of ten) costs on average.

    As in Wortsman et al. (2023), Small-scale proxies for large-scale Transformer training instabilities: the mean over
    x = log10 of the number of min(l(x), l0) - l*. l is the metric, l0 what it was before the first step, so that a
    training that diverged costs no more than none; l* is the lowest of min(l, l0) there, on its mean over the seeds.
    The mean is the integral of the piecewise linear curve over its length. l* is taken at one place for all seeds, so
    the mean over seeds is that of their curve. Where the grid does not cover all of it, it is over what is there.

    None where less than a stretch is there, and where l0 was not measured.
    """
    import numpy as np

    first, last = max(low, found.places[0]), min(high, found.places[-1])
    if last - first <= _SAME or np.isnan(found.starts_LS).any():
        return None
    clipped_LS = np.minimum(found.values_LS, found.starts_LS)
    nodes = [first, *(place for place in found.places if first < place < last), last]
    y_NS = np.stack([np.interp(nodes, found.places, one_L) for one_L in clipped_LS.T], axis=1)
    steps_N1 = np.diff(nodes)[:, None]
    means_S = ((y_NS[1:] + y_NS[:-1]) / 2 * steps_N1).sum(axis=0) / (last - first)
    best_S = y_NS[int(y_NS.mean(axis=1).argmin())]
    value = estimate([float(one) for one in means_S - best_S])
    assert value is not None
    return Sensitivity(value, first, last, first - low <= _SAME and high - last <= _SAME)


def flat(found: Curve, around: int, decades: float = SPAN) -> Flat | None:
    """What the number does over the levels around that with the number ``around``.

    These are the fewest neighbours that hold it and span ``decades``; of several such runs that whose middle lies
    nearest to it, and then the lower. None where the grid is narrower, a training there diverged (its value only stands
    for one), or there are too few seeds to know their deviation. A level of 0 is in no run.
    """
    places, end = found.places, len(found.places)
    runs = []
    for low in (n for n in range(around + 1) if math.isfinite(places[n])):  # 0 is no decades away from anything
        high = next((n for n in range(max(low, around), end) if places[n] - places[low] >= decades - _SAME), None)
        if high is not None:
            off = abs((places[low] + places[high]) / 2 - places[around])
            runs.append((round(places[high] - places[low], 6), round(off, 6), low, high))
    if not runs:
        return None
    _, _, low, high = min(runs)
    inside = slice(low, high + 1)
    noise = deviation(found.logs_LS[inside])
    if noise is None or found.diverged_LS[inside].any():
        return None
    means = found.means_L[inside]
    return Flat(places[low], places[high], float(means.max() - means.min()), noise)
