"""`spadam export`: a trained autoencoder for another library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spadam.cli.options import at_home, out_console
from spadam.formats import Format


def export(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="The folder of a training that has ended: what `spadam train` had as --out, or one of a sweep's.",
            callback=at_home,
        ),
    ],
    to: Annotated[Format, typer.Option("--to", help="The library that is to read it.")],
    out: Annotated[
        Path | None, typer.Option(help="Where to write, by default DIR/<the library>.", callback=at_home)
    ] = None,
) -> None:
    """Write a trained autoencoder for another library, with the code that evaluations have here.

    What the library cannot compute is refused with the reason, and nothing is written.
    """
    from spadam.formats.export import export

    written = export(folder, to, out)
    out_console.print(f"written: {written}", markup=False, soft_wrap=True)
