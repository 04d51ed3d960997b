"""A warning as a record: what keeps numbers from meaning what one may think."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Warned(NamedTuple):
    """Something that a reader must know. Of one training, or of some variants of a sweep before it runs."""

    code: str
    """What kind of warning it is, for ever: warnings are counted by it."""
    text: str
    """What it says, its numbers included."""
    numbers: Mapping[str, float] = MappingProxyType({})
    """The numbers in the text."""
    variants: tuple[str, ...] = ()
    """The variants that it is about; none in the result of a training."""

    def plain(self) -> dict[str, Any]:
        """The record as result.json holds it."""
        return {"code": self.code, "text": self.text, "numbers": dict(self.numbers)}


def read_warning(stored: str | Mapping[str, Any]) -> Warned:
    """A warning as a result holds it. Older ones are their text alone: their code is found in it."""
    if isinstance(stored, str):
        return Warned(next((code for part, code in _OLD.items() if part in stored), stored), stored)
    return Warned(stored["code"], stored["text"], stored["numbers"])


_OLD = {
    "every row was touched in every step": "all_rows_touched",
    "of the rows were touched in 2-90 % of the steps": "few_intermittent_rows",
}
"""What the old texts said, of which there were two; the code of any other is the text itself."""
