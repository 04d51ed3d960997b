"""Interruptions: Ctrl-C, SIGTERM (of a scheduler, of `docker stop`), SIGHUP (of a terminal that has closed).

What is at work hears of each as a KeyboardInterrupt, puts things in order, and leaves.
"""

from __future__ import annotations

import contextlib
import gc
import math
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import CodeType, FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Handler = Callable[[int, FrameType | None], Any]

farewells: set[Callable[[], None]] = set()
"""What a program must do even when it leaves at once; each may be called at any moment."""

GRACE_SECONDS = 1.0
"""Signals come in pairs: `timeout` sends one to its command and one to the group, and keys are pressed twice. What
follows within so long is the same interruption."""

_AGAIN_SECONDS = 0.05


class Interrupted(KeyboardInterrupt):
    """An interruption, with the ``number`` of its signal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def exit_code(interruption: KeyboardInterrupt) -> int:
    """What a program ends with, as a shell has it: 130 after Ctrl-C, else 143, after a closed terminal too."""
    number = interruption.number if isinstance(interruption, Interrupted) else signal.SIGINT
    return 128 + (signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)


def imports(frame: FrameType | None) -> bool:
    """Whether ``frame`` is within an import.

    What is raised there may come to nobody, or out as another error: modules try things, and catch what comes of it.
    """
    return any(code.co_filename.startswith("<frozen importlib") for code in _codes(frame))


_collecting = False


def _follow(phase: str, _: dict[str, int]) -> None:
    """Hear from the garbage collector that it begins and that it has ended."""
    global _collecting
    _collecting = phase == "start"


@contextlib.contextmanager
def collector_followed() -> Iterator[None]:
    """Let :func:`puts_away` know, within this block, what the garbage collector calls, whoever wrote it."""
    global _collecting
    gc.callbacks.append(_follow)
    try:
        yield
    finally:
        gc.callbacks.remove(_follow)
        _collecting = False


def puts_away(frame: FrameType | None) -> bool:
    """Whether ``frame`` is within a destructor, a callback of a weak reference, or a run of the garbage collector.

    What is raised there comes to nobody, and may leave half of the work undone: a second call then fails.
    """
    callbacks = [getattr(callback, "__code__", None) for callback in gc.callbacks]
    return _collecting or any(
        code.co_name == "__del__" or code.co_filename == weakref.__file__ or code in callbacks for code in _codes(frame)
    )


def _codes(frame: FrameType | None) -> Iterator[CodeType]:
    """What runs in ``frame``, and in those that have called it."""
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back


def send_again(number: int, unless: Callable[[], bool] = lambda: False) -> None:
    """Have the signal ``number`` come to this process once more, in a moment; ``unless`` it was heard meanwhile."""

    def send() -> None:
        if not unless():
            os.kill(os.getpid(), number)

    timer = threading.Timer(_AGAIN_SECONDS, send)
    timer.daemon = True
    timer.start()


class Interruption:
    """Makes a signal within its block a KeyboardInterrupt, and remembers that there was one.

    Python swallows what is raised within a destructor or a callback of the garbage collector, and a library may catch
    more than it means to: a KeyboardInterrupt from there comes to nobody. :meth:`check`, called now and then, raises it
    again. After :meth:`wind_down` there are no more of them: what puts things in order is not interrupted.

    Only signals that somebody has given a handler are heard: by default Ctrl-C alone, in the command line all of
    :data:`SIGNALS`; what `nohup` has turned off stays off. Outside the main thread, where no signal arrives, the block
    does nothing.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._since = -math.inf
        self._winding_down = False
        self._before: dict[int, Any] = {}
        self._following = contextlib.ExitStack()

    def check(self) -> None:
        """Raise KeyboardInterrupt if there was an interruption."""
        if self._number is not None and not self._winding_down:
            self._since = time.monotonic()
            raise Interrupted(self._number)

    def wind_down(self) -> None:
        """From now to the end of the block nothing interrupts."""
        self._winding_down = True

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._following.enter_context(collector_followed())
            for number in SIGNALS:
                if callable(before := signal.getsignal(number)):
                    self._before[number] = before
                    signal.signal(number, self._notice)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._winding_down = True
        for number, before in self._before.items():
            signal.signal(number, before)
        self._following.close()
        if kind is KeyboardInterrupt and self._number is not None:  # some library has made its own of ours
            raise Interrupted(self._number) from error

    def _notice(self, number: int, frame: FrameType | None) -> None:
        self._number = self._number or number
        if self._winding_down or time.monotonic() - self._since < GRACE_SECONDS:
            return
        if imports(frame) or puts_away(frame):
            send_again(number, unless=lambda: self._winding_down or self._since > -math.inf)
            return
        self._since = time.monotonic()
        raise Interrupted(self._number)


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """Hold :data:`SIGNALS` back from this thread for a moment; a process that is started meanwhile never hears them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
