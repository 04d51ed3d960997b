"""Ctrl-C for an agent: one that arrives is not lost, wherever it arrives."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class Interruption:
    """Makes an interruption within its block a KeyboardInterrupt, as Python does, and remembers that there was one.

    Python swallows what is raised within a destructor or a callback of the garbage collector, and a library may catch
    more than it means to: a KeyboardInterrupt from there comes to nobody. :meth:`check`, called now and then, raises it
    again. Outside the main thread, where no signal arrives, the block does nothing.
    """

    def __init__(self) -> None:
        self._noticed = False
        self._before: Any = None

    def check(self) -> None:
        """Raise KeyboardInterrupt if there was an interruption."""
        if self._noticed:
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._notice)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _notice(self, number: int, frame: FrameType | None) -> None:
        self._noticed = True
        raise KeyboardInterrupt
