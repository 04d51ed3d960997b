"""What the command line does when it is interrupted: one sentence, and the exit code of the signal.

It stands before everything that takes time to import, and imports next to nothing itself.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from spadam.training.interruption import (
    SIGNALS,
    Interrupted,
    collector_followed,
    exit_code,
    farewells,
    imports,
    puts_away,
    send_again,
)

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_GOES_ON = "interrupted: the same command goes on from"

_SENTENCES = {
    ("sweep", "run"): f"{_GOES_ON} here",
    ("sync",): f"{_GOES_ON} here",
    ("train",): f"{_GOES_ON} the last checkpoint",
    ("activations",): f"{_GOES_ON} the last shard",
    ("bench",): "interrupted: nothing was written",
}
"""What is said, by the words of the command."""

CODES = {exit_code(Interrupted(number)) for number in SIGNALS}
"""What an interrupted program ends with."""

_LONGEST_SECONDS = 8.0
"""What puts things in order after an interruption has so long; who then interrupts again wants to leave at once."""


def sentence() -> str:
    """What there is to know about this command when it has been interrupted."""
    given = tuple(sys.argv[1:])
    return next((said for words, said in _SENTENCES.items() if given[: len(words)] == words), "interrupted")


def goes_on() -> bool:
    """Whether the same command goes on where it has ended."""
    return sentence().startswith(_GOES_ON)


_starting = False


def starts(yes: bool) -> None:
    """Say whether the program is only about to start: then there is nothing to put in order, and it leaves at once."""
    global _starting
    _starting = yes


def hold_off() -> None:
    """Hear no more of them: all that is left to do is to say so."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def hush() -> None:
    """Say nothing of destructors that fail: what was interrupted while it was made does not know how to end."""
    sys.unraisablehook = lambda _: None


@contextlib.contextmanager
def signals_taken() -> Iterator[None]:
    """Make a KeyboardInterrupt of each signal that ends a program, but for those that `nohup` or a shell turned off.

    In the middle of an import there is nothing to put in order, and what is raised there may get lost: the program
    leaves at once, as it does while it :func:`starts`. A destructor is let come to its end. No signal arrives outside
    the main thread: there nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler, hook = _Handler(), sys.unraisablehook
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, earlier in before.items():
        if earlier != signal.SIG_IGN:
            signal.signal(number, handler.interrupt)
    sys.unraisablehook = handler.raise_again
    try:
        with collector_followed():
            yield
    finally:
        starts(False)  # a program that only prints its help never begins a command
        sys.unraisablehook = hook
        for number, earlier in before.items():
            signal.signal(number, earlier)


class _Handler:
    """Hears the signals of a command."""

    def __init__(self) -> None:
        self._since = math.inf
        """When it was raised; in the future while it was not."""

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt, once; leave where that would be lost, or has taken too long."""
        now, first = time.monotonic(), self._since == math.inf
        if first and puts_away(frame) and not _starting:
            send_again(number, unless=lambda: self._since != math.inf)
            return
        if (first and (_starting or imports(frame))) or now - self._since > _LONGEST_SECONDS:
            _leave(Interrupted(number))
        if first:
            self._since = now
            raise Interrupted(number)

    def raise_again(self, unraisable: UnraisableHookArgs) -> None:
        """Have what a destructor or a callback has swallowed come once more."""
        if isinstance(unraisable.exc_value, Interrupted):
            self._since = math.inf
            send_again(unraisable.exc_value.number)
        elif self._since == math.inf:  # else it is of something half made, see `hush`
            sys.__unraisablehook__(unraisable)


def _leave(interruption: Interrupted) -> None:
    with contextlib.suppress(OSError):
        # a spinner may stand in the line, and have hidden the cursor
        clear = "\r\x1b[2K\x1b[?25h" if os.isatty(2) else ""
        os.write(2, f"{clear}{sentence()}\n".encode())
    for farewell in farewells:
        farewell()
    os._exit(exit_code(interruption))
