"""The best of several trials: the one with the smallest cost, or the front where there are several costs each.

A trial *beats* another when none of its costs is larger and one is smaller. The *front* is what nobody beats; with one
cost each that is the best alone. Of equal trials the first is taken, whatever order they come in.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from spadam.sweep.search.objective import Costs

T = TypeVar("T")


class Standing(NamedTuple):
    """A trial, as it is ranked."""

    costs: Costs
    number: int


class Front:
    """What nobody has beaten so far, by its first cost."""

    def __init__(self) -> None:
        self.members: list[Standing] = []

    def add(self, new: Standing) -> None:
        """A trial more."""
        if any(_is_no_worse(old, new) for old in self.members):
            return
        self.members = [old for old in self.members if not _is_no_worse(new, old)]
        insort(self.members, new)


def front(trials: Iterable[Standing], counts: Callable[[Standing], bool]) -> list[Standing]:
    """The front of those ``trials`` that count, by its first cost; who may be on it alone is asked whether it does."""
    found: list[Standing] = []
    for trial in sorted(trials):  # nobody is beaten by who comes later
        if not any(_is_no_worse(old, trial) for old in found) and counts(trial):
            found.append(trial)
    return found


def spread(members: Sequence[T], points: int) -> list[T]:
    """At most so many ``points`` of a front, in its order: the middles of as many equal parts; all where it has fewer.

    >>> spread("abcdefghi", 3), spread("ab", 3), spread("abcd", 1)
    (['b', 'e', 'h'], ['a', 'b'], ['c'])
    """
    many = len(members)
    return [members[(2 * n + 1) * many // (2 * points)] for n in range(points)] if many > points else list(members)


def _is_no_worse(one: Standing, other: Standing) -> bool:
    """Whether ``one`` beats ``other``, or is its equal and came before."""
    if one.costs == other.costs:
        return one.number < other.number
    return all(mine <= theirs for mine, theirs in zip(one.costs, other.costs, strict=True))
