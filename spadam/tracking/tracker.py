"""What a tracker is, and the one that shows nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Draw = Callable[[], "Mapping[str, NDArray[np.uint8]]"]
"""Draws pictures when it is called: by name, uint8 arrays (height, width) of greys or (height, width, 3) of colours."""


Rows = Sequence[Mapping[str, Any]]
"""Rows of a ledger, in order."""


class Tracker(Protocol):
    """Shows one run. Calls come from one thread: any number of rows and pictures, at most one summary, then one finish.

    Any of them may raise anything; whoever calls them goes on without the tracker.
    """

    def record(self, row: Mapping[str, Any]) -> None:
        """Show the numbers and the histograms of ``row`` against its ``step``."""

    def show(self, draw: Draw, step: int) -> None:
        """Show the pictures that ``draw`` makes, as of ``step``; a tracker that shows none does not call it."""

    def summary(self, values: Mapping[str, Any]) -> None:
        """Show ``values`` as the outcome of the run."""

    def finish(self, exit_code: int = 0) -> None:
        """Let the run go, after a bounded wait for what is still on its way. 0 means that it went well."""


class NoTracker:
    """Shows nothing."""

    def record(self, row: Mapping[str, Any]) -> None:
        """Do nothing."""

    def show(self, draw: Draw, step: int) -> None:
        """Do nothing."""

    def summary(self, values: Mapping[str, Any]) -> None:
        """Do nothing."""

    def finish(self, exit_code: int = 0) -> None:
        """Do nothing."""
