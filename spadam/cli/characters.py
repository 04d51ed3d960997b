"""What is printed where an output cannot hold all characters: ASCII for ours, an escape for others, never an error."""

from __future__ import annotations

import codecs
import io
import sys

_IN_ASCII = {
    "√": "sqrt ",
    "ε": "eps",
    "β": "beta",
    "α": "alpha",
    "γ": "gamma",
    "Δ": "d",
    "Σ": "sum ",
    "η": "eta",
    "ℓ": "l",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "²": "^2",
    "ᵗ": "^t",
    "ⁿ": "^n",
    "·": "*",
    "×": "x",
    "±": "+-",
    "–": "-",
    "…": "~",
    "≤": "<=",
    "≥": ">=",
    "→": "->",
    "←": "<-",
    "↓": " (low)",
    "↑": " (high)",
}


def bear_all_characters() -> None:
    """Let standard output and standard error, whatever their encoding, take every text."""
    codecs.register_error("spadam", _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="spadam")


def _replace(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    return "".join(_IN_ASCII.get(char) or _escape(char) for char in text), error.end


def _escape(char: str) -> str:
    return char.encode("ascii", "backslashreplace").decode()
