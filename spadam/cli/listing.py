"""`spadam list`: what a configuration can name, made from the registries, so that nothing is listed twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_args

import typer

from spadam.cli.options import Json, out_console, write_json

if TYPE_CHECKING:
    from rich.table import Table


class Listing(StrEnum):
    """What `spadam list` can list."""

    optimizers = "optimizers"
    rules = "rules"
    datasets = "datasets"
    diagnostics = "diagnostics"


def list_members(what: Annotated[Listing, typer.Argument(help="What to list.")], json: Json = False) -> None:
    """List the optimizers, rules, datasets or diagnostics that a configuration can name."""
    entries = list(_ENTRIES[what.value]())
    if json:
        write_json([entry.plain() for entry in entries])
        return
    from spadam.terminal.tables import print_table

    print_table(out_console, _table(entries, _READING.get(what.value)))


_READING = {"optimizers": "lr centre: the best lr of one short run on Fashion-MNIST; `around: declared` searches there"}
"""What one must know to read a list."""


class Entry(NamedTuple):
    """A member of a registry: its name, what it is, and what else one wants to know."""

    name: str
    text: str
    facts: Mapping[str, Any]

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "name": self.name,
            "description": self.text,
            **{key.replace(" ", "_"): value for key, value in self.facts.items()},
        }


def _table(entries: Iterable[Entry], reading: str | None) -> Table:
    """A row for each of ``entries``: its name, what it is, and its facts below."""
    from rich.table import Table
    from rich.text import Text

    found = Table(box=None, pad_edge=False, show_header=False)
    found.add_column(no_wrap=True, style="bold")
    found.add_column()
    for entry in entries:
        facts = "; ".join(f"{key}: {_written(value)}" for key, value in entry.facts.items())
        found.add_row(entry.name, Text.assemble(entry.text, "\n", (facts, "dim")))
    if reading is not None:
        found.add_row("", Text(reading, "dim"))
    return found


def _written(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _optimizers() -> Iterator[Entry]:
    from spadam.optim import OPTIMIZERS

    for member in OPTIMIZERS:
        yield Entry(_name(member), member.summary(), {"epsilon": member.epsilon_enters, "lr centre": member.lr_center})


def _rules() -> Iterator[Entry]:
    from spadam.sparsity import RULES

    return _described(RULES)


def _datasets() -> Iterator[Entry]:
    from spadam.data import DATASETS

    return _described(DATASETS)


def _diagnostics() -> Iterator[Entry]:
    from spadam.diagnostics.metrics import METRICS

    for metric in METRICS.values():
        yield Entry(metric.name, metric.formula, {"unit": metric.unit, "over": metric.over})


def _described(members: Iterable[type[Any]]) -> Iterator[Entry]:
    for member in members:
        keys = [key for key in member.model_fields if key != "name"]
        yield Entry(_name(member), (member.__doc__ or "").strip().splitlines()[0], {"keys": keys})


def _name(member: type[Any]) -> str:
    return str(get_args(member.model_fields["name"].annotation)[0])


_ENTRIES = {"optimizers": _optimizers, "rules": _rules, "datasets": _datasets, "diagnostics": _diagnostics}
