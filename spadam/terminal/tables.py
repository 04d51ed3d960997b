"""Tables as commands print them."""

from __future__ import annotations

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table


def print_table(console: Console, table: Table) -> None:
    """Print ``table``: folded on a terminal that is too narrow; a pipe has no width, and nothing is folded or cut."""
    if not console.is_terminal:
        console = Console(file=console.file, width=max(console.width, needed(console, table)), highlight=False)
    with console.capture() as lines:
        console.print(table)
    # Cells are filled up with blanks, which a pipe would be given.
    text = "\n".join(line.rstrip() for line in lines.get().split("\n"))
    console.file.write(text)


def needed(console: Console, table: Table) -> int:
    """How wide ``table`` is when nothing in it is folded."""
    return Measurement.get(console, console.options.update(max_width=1_000_000), table).maximum
