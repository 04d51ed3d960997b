"""What moves a metric, from a designed experiment: the variance of its logarithm, split among axes and seeds.

A *design* is a full grid over some axes, trained as a whole with each of several seeds: every combination of *levels*
and seed once. Points that a search chose are none: they lie where it looked.

Array shapes: the levels of each axis in turn, then S seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Level = float | str
"""A place on an axis: a logarithm to the base of ten (-inf of 0), or the name of something that is not ordered."""

SEED, RESIDUAL = "seed", "residual"
"""The last two terms of an analysis."""

TIMES = " x "
"""Between the axes of an interaction, in its name."""


class Observation(NamedTuple):
    """One training of a design."""

    at: Mapping[str, Level]
    """Its place on every axis."""
    seed: int
    value: float
    """The metric, above 0."""
    start: float | None = None
    """What it had of the metric before its first step, where that was measured."""
    diverged: bool = False
    """Whether it diverged, so that its value only stands for one."""


class Design(NamedTuple):
    """A full grid, each point once with every seed."""

    axes: tuple[str, ...]
    levels: tuple[tuple[Level, ...], ...]
    """Those of each axis, in ascending order."""
    seeds: tuple[int, ...]
    values: Floats
    """The metric."""
    starts: Floats
    """The same before the first step; NaN where it was not measured."""
    diverged: NDArray[np.bool_]

    @property
    def logs(self) -> Floats:
        """The natural logarithm of the metric."""
        import numpy as np

        return np.asarray(np.log(self.values))

    @property
    def best(self) -> tuple[int, ...]:
        """The level of each axis, by its number, where the mean of the logarithm over the seeds is lowest."""
        import numpy as np

        means = self.logs.mean(axis=-1)
        return tuple(int(number) for number in np.unravel_index(int(means.argmin()), means.shape))


class Term(NamedTuple):
    """A part of the variance of ln metric."""

    name: str
    """An axis, several that act together (`a x b`), :data:`SEED` or :data:`RESIDUAL`."""
    squares: float
    """Its sum of squares."""
    freedom: int
    """Its degrees of freedom."""
    share: float | None
    """Its part of all squares, eta squared; None where nothing varies."""
    f: float | None = None
    """Its mean square over that of the residual; None of the residual itself, and where that is 0."""
    p: float | None = None
    """The chance of such an F or a larger one where the term does nothing, and every residual is normal, alike."""


def design(observations: Sequence[Observation]) -> Design:
    """``observations`` as a full grid. Raises ValueError when they are none, and when a value is not above 0."""
    import numpy as np

    if not observations:
        raise ValueError("a design needs observations")
    axes = tuple(observations[0].at)
    levels = tuple(_sorted({one.at[axis] for one in observations}) for axis in axes)
    seeds = tuple(sorted({one.seed for one in observations}))
    shape = (*map(len, levels), len(seeds))
    values, starts, diverged = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, bool)
    for one in observations:
        if tuple(one.at) != axes or not (one.value > 0 and math.isfinite(one.value)):
            raise ValueError(f"every observation needs a place on {axes} and a value above 0, not {one}")
        where = (*(found.index(one.at[axis]) for axis, found in zip(axes, levels, strict=True)), seeds.index(one.seed))
        values[where], diverged[where] = one.value, one.diverged
        starts[where] = math.nan if one.start is None else one.start
    if len(observations) != values.size or np.isnan(values).any():
        raise ValueError(f"{len(observations)} observations are no full grid of {values.size} trainings")
    return Design(axes, levels, seeds, values, starts, diverged)


def anova(found: Design) -> list[Term]:
    """The variance of ln metric by axis, by interactions of axes, by seed (as a block), and what is left.

    Of a balanced grid y with the mean m the effect of a set T of axes is e_T = mean of y over all that is not in T,
    less m and the effects of all smaller sets within T. Squares are summed over all trainings, and add up to those of
    y - m. The residual is what no effect explains: that seeds differ otherwise at one point than at the next. F is
    (squares of T / freedom of T) / (squares of the residual / its freedom). See Montgomery, Design and Analysis of
    Experiments, on factorial designs in blocks. Axes of one level have no term.

    Raises ValueError of fewer than two seeds: then nothing is left to hold the terms against.
    """
    if len(found.seeds) < 2:
        raise ValueError("an analysis of variance needs two seeds or more")
    y, many = found.logs, len(found.axes)
    sets = [each for size in range(1, many + 1) for each in combinations(range(many), size)]
    effects: dict[tuple[int, ...], Any] = {(): _mean(y, ())}
    for each in sets:
        smaller = [other for other in effects if set(other) < set(each)]
        effects[each] = _mean(y, each) - sum(effects[other] for other in smaller)
    of_seed = _mean(y, (many,)) - effects[()]
    left = y - sum(effects.values()) - of_seed
    total = float(((y - effects[()]) ** 2).sum())
    points = y.size // len(found.seeds)
    rest = _Part(RESIDUAL, float((left**2).sum()), (points - 1) * (len(found.seeds) - 1))
    parts = [
        _Part(TIMES.join(found.axes[axis] for axis in each), _squares(effects[each], y.size), _freedom(y, each))
        for each in sets
    ]
    parts.append(_Part(SEED, _squares(of_seed, y.size), len(found.seeds) - 1))
    return [*(_held(part, rest, total) for part in parts if part.freedom), _held(rest, None, total)]


def seed_deviation(found: Design) -> float | None:
    """How far ln metric of a training lies from that of others at its point by chance: one standard deviation.

    It is sqrt(squares / freedom) of the residual of points x seeds, so what a seed does everywhere alike is not in it.
    Points at which a training diverged are left out: what stands there was not measured. None of fewer than two points
    or seeds.
    """
    logs_PS = found.logs.reshape(-1, len(found.seeds))
    return deviation(logs_PS[~found.diverged.reshape(logs_PS.shape).any(axis=1)])


def deviation(logs_PS: Floats) -> float | None:
    """The same of P points and S seeds, given as ln metric; None where it cannot be said."""
    points, seeds = logs_PS.shape
    if points < 2 or seeds < 2:
        return None
    left_PS = logs_PS - logs_PS.mean(axis=1, keepdims=True) - logs_PS.mean(axis=0, keepdims=True) + logs_PS.mean()
    return math.sqrt(float((left_PS**2).sum()) / ((points - 1) * (seeds - 1)))


class _Part(NamedTuple):
    name: str
    squares: float
    freedom: int


def _mean(y: Floats, kept: Sequence[int]) -> Floats:
    """Over all axes that are not ``kept``, which stay with a length of 1."""
    import numpy as np

    return np.asarray(y.mean(axis=tuple(axis for axis in range(y.ndim) if axis not in kept), keepdims=True))


def _squares(effect: Floats, trainings: int) -> float:
    return float((effect**2).sum()) * trainings / effect.size


def _freedom(y: Floats, axes: Sequence[int]) -> int:
    return math.prod(y.shape[axis] - 1 for axis in axes)


def _held(part: _Part, rest: _Part | None, total: float) -> Term:
    """``part`` as a term, held against the residual."""
    from scipy.special import fdtrc

    # What is left of equal numbers is rounding, which no F may be made of.
    nothing = 1e-24 * max(total, 1e-300)
    term = Term(part.name, part.squares, part.freedom, part.squares / total if total > 0 else None)
    if rest is None or rest.freedom == 0 or rest.squares <= nothing:
        return term
    f = (part.squares / part.freedom) / (rest.squares / rest.freedom)
    return term._replace(f=f, p=float(fdtrc(part.freedom, rest.freedom, f)))


def _sorted(levels: set[Level]) -> tuple[Level, ...]:
    numbers = sorted(level for level in levels if not isinstance(level, str))
    return (*numbers, *sorted(level for level in levels if isinstance(level, str)))
