"""A setting: what a sweep has found for a variant, and the trainings that speak for it."""

from __future__ import annotations

from typing import NamedTuple

from spadam.sweep.outcome.progress import Search
from spadam.sweep.store.attempts import Record


class Setting(NamedTuple):
    """The best of a study, or a trial on its front that is repeated."""

    search: Search
    """The study that it is of."""
    record: Record | None
    """The trial; None while there is none."""
    repeats: tuple[Record, ...]
    """The slots that repeat it."""
    name: str
    """What it is called."""

    @property
    def variant(self) -> str:
        """The variant that it is of."""
        return self.search.variant

    @property
    def judged(self) -> list[Record]:
        """Its repeats that are complete, or itself while it has none."""
        complete = [record for record in self.repeats if record.status == "complete"]
        return complete or ([self.record] if self.record is not None else [])
