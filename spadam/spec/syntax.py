"""What is wrong with the syntax of a YAML text, and what to do about it: the parser says what it met, not why."""

from __future__ import annotations

from collections.abc import Callable

from ruamel.yaml.error import MarkedYAMLError, YAMLError

from spadam.spec.error import InputError

_REMEDIES = {
    r"'\t' that cannot start": "replace the tab by spaces: they alone indent",
    "mapping values are not allowed here": "begin each key in a line of its own, below its neighbours, with a space "
    "behind the colon; put a text with a colon in quotes",
    "expected ',' or": "close the bracket, and separate what is in it with commas",
    "unexpected end of stream": "close the quotes",
    "that cannot start any token": "put the text in quotes",
    "unknown escape character": "write it in single quotes",
    "special characters are not allowed": "save the file as plain UTF-8 text",
    "expected <block end>": "indent each line like its neighbours",
    "expected '<document start>'": "give a YAML file: this may be another kind, such as JSON Lines",
}
"""By a piece of the parser's words, the first that fits."""


def syntax_error(error: YAMLError, text: str, where: Callable[[int], str]) -> InputError:
    """``error``, met in ``text``, as a mistake of whoever wrote it. ``where`` says the place of a line; 0 is none."""
    if isinstance(error, MarkedYAMLError):
        said = str(error.problem or error.context)
        # What is never closed shows at the end of the file, and was opened elsewhere.
        mark = error.context_mark if "end of stream" in said else error.problem_mark
        mark = mark or error.problem_mark or error.context_mark
        place = where(mark.line + 1 if mark else 0)
    else:  # a character that no YAML may hold
        said = str(error).splitlines()[0]
        place = where(text.count("\n", 0, getattr(error, "position", 0)) + 1)
    remedy = next((remedy for piece, remedy in _REMEDIES.items() if piece in said), "mend the syntax")
    return InputError("YAML", None, said, remedy, place)
