"""A difference that nobody made a claim about: how far two variants lie apart, without a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from spadam.claims.arm import Arm
from spadam.claims.judging import differences as differences_of
from spadam.claims.judging import sameness
from spadam.claims.scale import Scale
from spadam.statistics.paired import Interval, interval

LEVEL = 0.95


class Comparison(NamedTuple):
    """Two variants in one metric, first minus second."""

    first: str
    second: str
    metric: str
    scale: Scale
    study: int | None
    """Of which study the settings are that were compared, seed by seed; None: the variants, study by study."""
    difference: Interval | None
    """None where no unit has both values."""
    same: str = ""
    """Why there is no difference to speak of, in words: the same bits, or one algorithm here."""

    def name(self, several: bool) -> str:
        """What its row is called, where a variant has ``several`` studies."""
        if not several:
            return self.first
        return f"{self.first} ({'all studies' if self.study is None else f'study {self.study}'})"

    def as_json(self) -> dict[str, Any]:
        """Plain values, as verdicts.json has them."""
        found = self.difference
        alone = found is None or found.n < 2
        return {
            "variants": [self.first, self.second],
            "metric": self.metric,
            "study": self.study,
            "ratio": self.scale.ratio,
            "effect": None if found is None else found.mean,
            "interval": None if found is None or alone else [found.low, found.high],
            "level": LEVEL,
            "n": 0 if found is None else found.n,
            "same": self.same,
        }


Row = dict[str, "Comparison"]
"""Comparisons of one variant and study, by metric."""


def in_rows(found: Iterable[Comparison]) -> list[Row]:
    """``found`` as a table: a row for every variant and study, in their order."""
    rows: dict[tuple[str, int | None], Row] = {}
    for one in found:
        rows.setdefault((one.first, one.study), {})[one.metric] = one
    return list(rows.values())


def compare(
    first: Arm, second: Arm, metric: str, scale: Scale, *, larger_is_better: bool, study: int | None
) -> Comparison:
    """How far ``first`` lies from ``second``, unit by unit; ``study`` is theirs, None where each unit is one."""
    found = list(differences_of((first, second), scale, larger_is_better).values())
    shown = interval(found, LEVEL) if found else None
    _, said = sameness(first, second) or ("", "")
    return Comparison(first.name, second.name, metric, scale, study, shown, said)
