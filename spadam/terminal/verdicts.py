"""What a person sees of a sweep's claims, and of how far its variants lie apart."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from spadam.claims.comparison import Comparison, in_rows
from spadam.claims.words import ANSWERS, asked, difference, sentence
from spadam.sweep.outcome.outcome import Outcome
from spadam.terminal.tables import print_table

_STYLES = {True: "green", False: "red", None: "yellow"}


def show_verdicts(console: Console, outcome: Outcome) -> None:
    """Print every claim with its answer; without claims how far each variant lies from that it is held against."""
    if outcome.answers:
        console.print()
        for verdict in outcome.answers:
            line = Text(f"{ANSWERS[verdict.answer]}: ", style=f"bold {_STYLES[verdict.holds]}")
            console.print(line + Text(verdict.claim.says, style="not bold default"), soft_wrap=not console.is_terminal)
            for text, style in ((sentence(verdict), ""), (f"decided by: {asked(verdict)}", "dim")):
                _say(console, Text(text, style=style))
        return
    found = [one for one in outcome.comparisons if one.difference is not None]
    if found:
        console.print()
        print_table(console, _table(outcome, found))


def _say(console: Console, text: Text) -> None:
    """Print a line below a heading: folded on a terminal, whole elsewhere."""
    if console.is_terminal:
        console.print(Padding(text, (0, 0, 0, 2)))
    else:
        console.print(Text("  ") + text, soft_wrap=True)


def _table(outcome: Outcome, found: list[Comparison]) -> Table:
    """A row for every variant and study, a column for every metric."""
    metrics = list(dict.fromkeys(one.metric for one in found))
    title = f"difference to {outcome.sweep.reference}, seed by seed (95 % interval)"
    shown = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    shown.add_column("variant", no_wrap=True)
    for metric in metrics:
        shown.add_column(metric)
    for mine in in_rows(found):
        cells = [difference(mine[metric]) if metric in mine else "" for metric in metrics]
        shown.add_row(next(iter(mine.values())).name(outcome.sweep.spec.search.studies > 1), *cells)
    return shown
