"""What a person sees while figures are drawn."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console

from spadam.text import count

_PATIENCE_SECONDS = 2.0


@contextlib.contextmanager
def drawing(console: Console) -> Iterator[Callable[[int, int], None]]:
    """What hears how many figures are drawn, and of how many.

    A terminal has a line that moves on and goes away at the end; elsewhere one is written when it takes over two
    seconds.
    """
    begun, told_once = time.monotonic(), False
    status = console.status("")

    def told(done: int, figures: int) -> None:
        nonlocal told_once
        said = f"drawing {count(figures, 'figure')}" + (f", {done} done" if done else "")
        if console.is_terminal:
            status.update(said)
            status.start()
        elif done < figures and not told_once and time.monotonic() - begun > _PATIENCE_SECONDS:
            told_once = True
            console.print(said, markup=False, soft_wrap=True)

    try:
        yield told
    finally:
        status.stop()
