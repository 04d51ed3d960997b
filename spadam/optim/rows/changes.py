"""Which rows an optimizer's step changed, for whoever keeps something derived from them.

A row optimizer leaves a :class:`RowChanges` on each parameter that it steps. It holds between two versions of the
parameter, and torch counts these: whoever changes the weights otherwise need do nothing, the versions then tell that
these changes are not all.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class RowChanges(NamedTuple):
    """What stands in ``param.row_changes``, there as a plain tuple: a parameter is saved and loaded with it."""

    before: int
    """``param._version`` before the step."""
    after: int
    """The same after it."""
    rows: Tensor | None
    """The rows that changed, (R,) int64 ascending; None when any row may have."""


def row_changes(param: Tensor) -> RowChanges | None:
    """What the last step of a row optimizer changed; None when there was none."""
    found = getattr(param, "row_changes", None)
    return None if found is None else RowChanges(*found)


def set_row_changes(param: Tensor, changes: RowChanges) -> None:
    """Say which rows a step changed."""
    param.row_changes = tuple(changes)  # type: ignore[attr-defined] # a tensor carries attributes, its type does not
