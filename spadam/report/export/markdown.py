"""A table for Markdown, as GitHub and most others read it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from spadam.report.export.noted import Noted, Number


def markdown(table: Noted) -> str:
    """The whole of table.md."""
    lines = [f"**{escape(table.title)}**", "", _row(map(escape, table.head))]
    lines.append(_row(["---", *["---:"] * (len(table.head) - 1)]))
    lines += [_row(map(_cell, row)) for row in table.body]
    lines += ["", *(f"- {_raised(letter)} {escape(said)}" for letter, said in table.letters)]
    lines += [f"- {escape(note)}" for note in table.notes]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    r"""``text`` that means itself, in one line.

    >>> print(escape("lazy_adam | 2*3 <b>"))
    lazy\_adam \| 2\*3 \<b\>
    """
    return re.sub(r"([\\`*_\[\]<>|~$&#])", r"\\\1", " ".join(text.split()))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Number) -> str:
    return escape(cell.text) + (_raised(cell.letter) if cell.letter else "")


def _raised(letter: str) -> str:
    return f"<sup>{letter}</sup>"
