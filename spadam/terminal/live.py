"""A sweep on a terminal: a line per variant that is kept up to date."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderResult
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment
from typing_extensions import override

from spadam.sweep.outcome.progress import Tally
from spadam.sweep.search.slots import Slot
from spadam.terminal.frame import Frame, State
from spadam.training.progress import Progress


class _Steady(Live):
    """A live display that leaves no lines behind when the window gets narrower and wraps what was drawn.

    Some terminals wrap at once and tell us later. What is drawn in between, for the old width, must not be wrapped too:
    then the lines to take away are those that the last frame had for the old width, and what they took when wrapped.
    """

    def __init__(self, frame: Frame, console: Console) -> None:
        self._frame = frame
        super().__init__(console=console, get_renderable=lambda: frame, refresh_per_second=4)

    @override
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        wrapped = self._frame.wrapped(self.console.width)  # of the frame that is on the screen
        clear = Control(*[(ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)] * wrapped)
        return [clear, _NO_WRAP, *super().process_renderables(renderables), _WRAP]


class _Code:
    """A code for the terminal for which rich has no name; any that it has marks a text as one."""

    def __init__(self, text: str) -> None:
        self._segment = Segment(text, None, [(ControlType.CARRIAGE_RETURN,)])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._segment


_NO_WRAP, _WRAP = _Code("\x1b[?7l"), _Code("\x1b[?7h")


class LiveView:
    """A line per variant that is kept up to date on a terminal."""

    def __init__(self, console: Console) -> None:
        self._frame = Frame()
        self._running: dict[Slot, Progress | None] = {}
        self._hosts: dict[Slot, str] = {}
        self._ready = console.status("getting ready")
        self._live = _Steady(self._frame, console)

    def __enter__(self) -> Self:
        self._ready.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._running.clear()
        self._show(self._frame.state._replace(over=True))
        self._ready.stop()
        self._live.stop()

    def open(self, metric: str, workers: int) -> None:
        """Show live lines from now on."""
        self._show(self._frame.state._replace(metric=metric, workers=workers))
        self._ready.stop()
        self._live.start()

    def resize(self, workers: int) -> None:
        """Show how many train at a time by now."""
        self._show(self._frame.state._replace(workers=workers))

    def update(self, tallies: Sequence[Tally]) -> None:
        """Show the new numbers."""
        self._show(self._frame.state._replace(tallies=tallies))

    def begin(self, slot: Slot, where: str = "") -> None:
        """Show it as running."""
        self._running[slot] = None
        self._hosts[slot] = where.partition(",")[0]
        self._show(self._frame.state)

    def move(self, slot: Slot, progress: Progress) -> None:
        """Show its step and loss."""
        self._running[slot] = progress
        self._show(self._frame.state)

    def end(self, slot: Slot, status: str, value: float | None) -> None:
        """It runs no more."""
        self._running.pop(slot, None)
        self._hosts.pop(slot, None)
        self._show(self._frame.state)

    def note(self, text: str) -> None:
        """Write a line above the live ones."""
        self._live.console.print(text, markup=False, highlight=False)

    def _show(self, state: State) -> None:
        """Have ``state`` drawn at the next refresh, which another thread does: it must not see half of a change."""
        self._frame.state = state._replace(running=dict(self._running), hosts=dict(self._hosts))
