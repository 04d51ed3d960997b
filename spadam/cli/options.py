"""Options that several commands share, the two consoles, and JSON as every command prints it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

out_console = Console(highlight=False)
error_console = Console(stderr=True, highlight=False)

SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="A sweep file (YAML).")]
SpecOrFolder = Annotated[
    Path, typer.Argument(metavar="SPEC|FOLDER", help="A sweep file (YAML), or the folder of a sweep: OUT/<sweep name>.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Address of a sweep's storage, such as sqlite:///runs/x/sweep.db or postgresql+psycopg://user@host/name; "
        "a password is best left to PGPASSWORD or ~/.pgpass.",
    ),
]
Out = Annotated[Path, typer.Option("--out", help="Folder for results.", show_default=True)]


def write_text(text: str) -> None:
    """Print ``text`` as a file holds it, in UTF-8 whatever the terminal's encoding: it may be sent into one."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())


def write_json(value: object) -> None:
    """Print ``value`` as strict JSON."""
    from spadam.files import strict_json

    sys.stdout.write(strict_json(value, indent=1) + "\n")
