"""The tuned comparison with what must be said of its numbers below it, as a paper has it: a letter at each of them."""

from __future__ import annotations

from collections import Counter
from string import ascii_lowercase
from typing import NamedTuple

from spadam.report.tuned import Cell, tuned
from spadam.statistics.interval import ENOUGH
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.summary import notes_of
from spadam.text import count


class Number(NamedTuple):
    """A cell, and the letter of the note that speaks of it."""

    text: str
    letter: str = ""


class Noted(NamedTuple):
    """The table, and the notes below it."""

    title: str
    head: tuple[str, ...]
    body: list[tuple[Number, ...]]
    """A row for every study, its name first."""
    letters: list[tuple[str, str]]
    """Every letter with what it says."""
    notes: list[str]
    """What is said of the whole table."""


def noted(outcome: Outcome) -> Noted:
    """The best of every study, and what its repeats say."""
    table = tuned(outcome)
    cells = [cell for row in table.rows for cell in row.cells]
    usual = _usual(cells)
    said = list(dict.fromkeys(cell.aside for cell in cells if cell.aside and cell.aside != usual))
    letters = {aside: _letter(n) for n, aside in enumerate(said)}
    body = [
        (Number(row.name), *(Number(cell.text, letters.get(cell.aside, "")) for cell in row.cells))
        for row in table.rows
    ]
    notes = [f"±: 95 % interval of the mean over n fresh seeds (Student's t); fewer than {ENOUGH} are too few."]
    if usual:
        notes[0] = notes[0].removesuffix(".") + f"; {usual} where nothing else is said."
    trials = count(outcome.sweep.trials, "trial")
    best = "What lies on a front is picked from" if outcome.is_front else "The search's best is picked as the best of"
    if (choose := outcome.sweep.spec.chooses) is not None:
        best = f"The search's best is chosen among {choose.top} by the mean of {count(choose.seeds, 'seed')}, from"
    notes.append(f"{best} {trials}, and so optimistic; the repeats are not.")
    notes += [f"{', '.join(variants)}: {note}." for note, variants in notes_of(outcome.summaries).items()]
    title = f"{outcome.sweep.name}: {outcome.metric} of the tuned variants ({outcome.better})"
    if outcome.is_front or outcome.judge.bands:
        title = f"{outcome.sweep.name}, the tuned variants: {outcome.aim}"
    return Noted(title, table.head, body, [(letters[aside], aside) for aside in said], notes)


def _usual(cells: list[Cell]) -> str:
    """What most cells say that nobody need be careful about: it is said once."""
    harmless = Counter(cell.aside for cell in cells if cell.aside and not cell.careful)
    return harmless.most_common(1)[0][0] if harmless else ""


def _letter(n: int) -> str:
    """The letter of note ``n``: a to z, then aa, ab and so on."""
    before = _letter(n // len(ascii_lowercase) - 1) if n >= len(ascii_lowercase) else ""
    return before + ascii_lowercase[n % len(ascii_lowercase)]
