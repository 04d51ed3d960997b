"""`spadam list`: what a configuration can name."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from spadam.cli.options import out_console


class Listing(StrEnum):
    """What `spadam list` can list."""

    optimizers = "optimizers"
    rules = "rules"
    datasets = "datasets"
    diagnostics = "diagnostics"


def list_members(what: Annotated[Listing, typer.Argument(help="What to list.")]) -> None:
    """List the optimizers, rules, datasets or diagnostics that a configuration can name."""
    from spadam.listing import table

    out_console.print(table(what.value))
