"""What one optimizer step did to the weights, and whether eps decided it.

Before the step the rows that may move are *kept*; after it they are compared, in blocks that stay in cache, so that a
look costs little time and, where an optimizer holds untouched rows still, little memory.

Shapes: L rows, D columns, K rows kept, R rows touched, C columns of a denominator: D, or 1 where a row has one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter
from typing_extensions import override

from spadam.diagnostics.diagnostic import Diagnostic, Setting, Step
from spadam.optim.inspection import view
from spadam.optim.rows.touched import touched_rows

_BLOCK = 1 << 17
"""Elements worked on at a time."""


class WeightUpdates(Diagnostic):
    """Looks at the tables before and after a step; what is reported is the mean over the looks."""

    metrics: ClassVar = ("optim/update_rms", "optim/eps_bound")
    schedule: ClassVar = "look"
    cost: ClassVar = "a copy of the rows that may move, and one pass over them"
    streams: ClassVar = True

    @override
    def begin(self, setting: Setting) -> None:
        self._all_may_move = setting.moves_untouched
        self._kept: dict[str, Kept] = {}
        self._looks: dict[str, list[float]] = {}

    @override
    def prepare(self, tables: Mapping[str, Parameter]) -> None:
        all_may_move = self._all_may_move
        self._kept = {name: keep(w, touched_rows(w), all_may_move=all_may_move) for name, w in tables.items()}

    @override
    def observe(self, step: Step) -> None:
        seen, moved = view(step.optimizer), []
        eps = float(step.optimizer.param_groups[0].get("eps", 0.0))
        for name, kept in self._kept.items():
            weight = step.tables[name]
            rows_R = seen.touched(weight) if kept.rows_K is None else kept.rows_K
            moved.append(compare(Change(kept, weight.detach(), rows_R, seen.denominator(weight, rows_R), eps)))
        self._kept = {}
        self._looks.setdefault("optim/update_rms", []).append(update_rms(moved))
        bound = eps_bound(moved)
        if bound is not None:
            self._looks.setdefault("optim/eps_bound", []).append(bound)

    @override
    def report(self) -> dict[str, float]:
        return {name: statistics.fmean(values) for name, values in self._looks.items()}

    @override
    def reset(self) -> None:
        self._looks = {}

    @override
    def state_dict(self) -> dict[str, Any]:
        return {name: list(values) for name, values in self._looks.items()}

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._looks = {name: list(values) for name, values in state.items()}


class Kept(NamedTuple):
    """Rows of one weight matrix as they are before a step."""

    before_KD: Tensor
    """A copy of them."""
    rows_K: Tensor | None
    """Which they are, int64, distinct; None when every row is kept, because any may move."""


class Change(NamedTuple):
    """One weight matrix in one step."""

    kept: Kept
    """The rows that may have moved, before the step. Those touched are all of them, unless every row is kept."""
    after_LD: Tensor
    """The weights after it."""
    rows_R: Tensor
    """The rows that the step's gradient touched, int64, distinct; in the order of ``kept`` when these are the same."""
    denominator_RC: Tensor | None = None
    """What these rows' updates were divided by, eps included; None for an optimizer without a denominator."""
    eps: float = 0.0
    """The eps in it."""


class Moved(NamedTuple):
    """What moved, over the rows that may have and over the touched ones; a difference that is no normal number is 0."""

    elements: int
    squares: float
    """Sum of the squares of their changes."""
    touched: int | None
    """Elements of touched rows that moved; None for an optimizer without a denominator."""
    bound: int
    """Those of them of whose denominator eps is more than half."""


@torch.no_grad()
def keep(weight_LD: Tensor, rows_R: Tensor, *, all_may_move: bool) -> Kept:
    """A copy of the rows ``rows_R`` that a gradient touches, or of all when the others may move as well."""
    if all_may_move:
        return Kept(weight_LD.detach().clone(), None)
    return Kept(weight_LD.detach().index_select(0, rows_R), rows_R)


@torch.no_grad()
def compare(change: Change) -> Moved:
    """Go through the rows once, or through all and the touched ones."""
    before_KD, rows_K = change.kept
    if rows_K is not None:
        return _compare(change, before_KD, rows_K, denominator_KC=change.denominator_RC)
    every = _compare(change, before_KD, None, denominator_KC=None)
    if change.denominator_RC is None:
        return every
    before_RD = before_KD.index_select(0, change.rows_R)
    touched = _compare(change, before_RD, change.rows_R, denominator_KC=change.denominator_RC)
    return every._replace(touched=touched.touched, bound=touched.bound)


def update_rms(moved: Sequence[Moved]) -> float:
    """Root mean square of the change of all elements that moved, touched or not; NaN when none did."""
    elements = sum(one.elements for one in moved)
    return math.sqrt(sum(one.squares for one in moved) / elements) if elements else math.nan


def eps_bound(moved: Sequence[Moved]) -> float | None:
    """Share of the moved elements of touched rows of whose denominator eps is more than half.

    In the optimizer's own formula: √v̂ < ε where eps stands after the bias correction, √v < ε where it stands in the
    hat, the row's where a row has one denominator. Rows that move without a gradient (the momentum of a dense Adam) are
    left out: their denominators only decay, and say nothing of what eps does to a gradient. None when no matrix has a
    denominator; NaN when nothing moved.
    """
    known = [one.touched for one in moved if one.touched is not None]
    if not known:
        return None
    return sum(one.bound for one in moved) / sum(known) if sum(known) else math.nan


def _compare(change: Change, before_KD: Tensor, rows_K: Tensor | None, denominator_KC: Tensor | None) -> Moved:
    elements, squares, bound = 0, 0.0, 0
    size = max(1, _BLOCK // before_KD.shape[1])
    for start in range(0, len(before_KD), size):
        block = slice(start, start + size)
        after = change.after_LD[block] if rows_K is None else change.after_LD.index_select(0, rows_K[block])
        step = after - before_KD[block]
        moved = step.bool()  # many times faster than a comparison of the two
        elements += int(moved.sum(dtype=torch.int32))
        step = step.double().flatten()
        squares += float(torch.dot(step, step))
        if denominator_KC is not None:
            bound += int((moved & (denominator_KC[block] < 2 * change.eps)).sum(dtype=torch.int32))
    return Moved(elements, squares, None if denominator_KC is None else elements, bound)
