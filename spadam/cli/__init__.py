"""The command line: parse, call, print. A file a command, or a group; what is heavy is imported inside the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spadam.cli.interruption import CODES, hold_off, hush, signals_taken, starts

if TYPE_CHECKING:
    from typer import Typer

    app: Typer


def main() -> None:
    """Run the command line, and leave with its exit code: see :mod:`spadam.cli.ending`."""
    starts(True)  # until a command begins, see `ending.Commands`
    with signals_taken():
        from spadam.cli.characters import bear_all_characters
        from spadam.cli.commands import app  # here, because they take a moment: Ctrl-C is heard before that
        from spadam.cli.ending import flushed, told
        from spadam.cli.large_pages import ask_for_large_pages
        from spadam.cli.waiting import wait_briefly
        from spadam.training.slim import slim

        bear_all_characters()
        ask_for_large_pages()
        wait_briefly()
        slim()
        with flushed(), told():
            app()


def program() -> None:
    """What the installed command does: :func:`main`, and then to end, which nothing interrupts: it may take seconds."""
    try:
        main()
    except SystemExit as end:
        if end.code in CODES:
            hush()
        raise
    finally:
        hold_off()


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from spadam.cli.commands import app

    return app
