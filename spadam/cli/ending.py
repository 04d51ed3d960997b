"""How commands end: whatever goes wrong is told in one message, and the exit code says of which kind it was.

0 done, 1 the work failed, 2 the input is wrong, 130 Ctrl-C, 143 SIGTERM or a closed terminal.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup
from typing_extensions import override

from spadam.cli.interruption import goes_on, hold_off, sentence
from spadam.cli.options import error_console
from spadam.spec import InputError
from spadam.training.interruption import exit_code


class Commands(TyperGroup):
    """The commands; an interruption ends none of them in a traceback, nor does what the system refuses."""

    @override
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interruption:
            hold_off()
            _say(sentence())
            raise typer.Exit(exit_code(interruption)) from None
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read the output has seen enough
                raise
            _say(*trouble(error))
            raise typer.Exit(1) from None


def trouble(error: OSError) -> list[str]:
    """What the system refused, and where; one line, and how to go on where that is possible."""
    place = "the output" if error.filename is None else os.fsdecode(error.filename)
    return [f"failed: {place}: {error.strerror or error}" + ("; the same command goes on" if goes_on() else "")]


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Tell wrong input within the block in one message: what is wrong, the rule, and the remedy; leave with 2."""
    try:
        yield
    except InputError as error:
        _say(error.headline, f"  rule:   {error.rule}", f"  remedy: {error.remedy}")
        sys.exit(2)


@contextlib.contextmanager
def flushed() -> Iterator[None]:
    """Have what was printed within the block written at its end; where that fails, say so and leave with 1."""
    try:
        yield
    finally:
        try:
            if sys.stdout is not None:  # it may have been closed before the program began
                sys.stdout.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more as it ends
            if error.errno != errno.EPIPE:
                _say(*trouble(error))
            sys.exit(1)


def _say(*lines: str) -> None:
    """Print ``lines`` to standard error, the first of them in red where there are more."""
    with contextlib.suppress(OSError):  # there is nobody to tell
        for number, line in enumerate(lines):
            style = "bold red" if number == 0 and len(lines) > 1 else None
            error_console.print(line, style=style, markup=False, soft_wrap=True)
