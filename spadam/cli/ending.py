"""How commands end: whatever goes wrong is told in one message, and the exit code says of which kind it was.

0 done, 1 the work failed, 2 the input is wrong, 130 Ctrl-C, 143 SIGTERM or a closed terminal.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import sys
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup
from typing_extensions import override

from spadam.cli.interruption import goes_on, hold_off, sentence, starts
from spadam.cli.options import error_console
from spadam.spec import InputError
from spadam.training.interruption import exit_code


class Commands(TyperGroup):
    """The commands; an interruption ends none of them in a traceback, nor does what the system refuses."""

    @override
    def list_commands(self, ctx: Any) -> list[str]:
        """What spadam is for stands first."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: name != "sweep")

    @override
    def invoke(self, ctx: Any) -> Any:
        starts(False)
        try:
            _check_current_folder()
            return super().invoke(ctx)
        except KeyboardInterrupt as interruption:
            hold_off()
            _say(sentence())
            raise typer.Exit(exit_code(interruption)) from None


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Tell all that is wrong with the input of the block, and leave with 2; tell what the system refuses, with 1."""
    try:
        yield
    except InputError as error:
        for mistake in error.mistakes:
            _say(mistake.headline, f"  rule:   {mistake.rule}", f"  remedy: {mistake.remedy}")
        sys.exit(2)
    except OSError as error:
        _say(trouble(error))
        sys.exit(1)


def trouble(error: OSError) -> str:
    """What the system refused, and where; in a line, with how to go on where that is possible."""
    place = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    if error.errno == errno.ENOSPC and not place:
        place = "the output: "
    if error.errno == errno.EMFILE:
        place = f"the limit is {resource.getrlimit(resource.RLIMIT_NOFILE)[0]} (ulimit -n): "
    return f"failed: {place}{error.strerror or error}" + ("; the same command goes on" if goes_on() else "")


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
                _say(trouble(error))
            sys.exit(1)


def _check_current_folder() -> None:
    """Raise :class:`InputError` when there is none: what most commands import does not bear that."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise InputError(
            "the current folder", None, "it must be there, and has been deleted", "cd to another"
        ) from None


def _say(*lines: str) -> None:
    """Print ``lines`` to standard error, the first of them in red where there are more."""
    with contextlib.suppress(OSError):  # there is nobody to tell
        for number, line in enumerate(lines):
            style = "bold red" if number == 0 and len(lines) > 1 else None
            error_console.print(line, style=style, markup=False, soft_wrap=True)
