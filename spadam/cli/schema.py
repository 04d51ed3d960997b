"""`spadam schema`: the JSON schema of a file that a person writes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from spadam.cli.options import write_json


class Kind(StrEnum):
    """The files that have a schema."""

    run = "run"
    sweep = "sweep"


def print_schema(
    kind: Annotated[Kind, typer.Argument(help="The file of `train`, or of `sweep`.")] = Kind.sweep,
) -> None:
    """Print the JSON schema of a sweep's file, or of a run's configuration: editors complete and check with it."""
    from spadam import schema

    write_json(schema.sweep() if kind is Kind.sweep else schema.run())
