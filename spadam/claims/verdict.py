"""What a sweep says to a claim."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from spadam.claims.scale import Scale
from spadam.claims.spec import ClaimSpec
from spadam.statistics.rate import Rate

Answer = Literal["supported", "refuted", "inconclusive", "identical", "same_by_construction"]


class Verdict(NamedTuple):
    """The answer, and what it rests on."""

    claim: ClaimSpec
    answer: Answer
    holds: bool | None
    """Whether the claim is true; None where that is not known."""
    effect: float | None = None
    """The mean difference, first minus second; of errors of their logarithms. Of one variant the mean itself."""
    low: float | None = None
    high: float | None = None
    """Its interval; None where it has no end."""
    level: float | None = None
    """Of the interval: what Holm's procedure and the looks have left of .95. Of an equivalence it has twice the error
    of each of its two tests."""
    p: float | None = None
    """The chance of differences like these if the truth lay where the claim turns false, or true."""
    alpha: float | None = None
    """What ``p`` had to be below."""
    n: int = 0
    """The units: seeds, or studies."""
    looks: int = 1
    """How often a verdict on it was computed, with ever more units."""
    post_hoc: bool = False
    """Whether it was made when results were there already."""
    needed: int | None = None
    """Where it is inconclusive: so many units would settle it with a chance of .8, if spread and mean stay."""
    reason: str = ""
    """Why it is inconclusive, or what else must be known, in words."""
    diverged: Mapping[str, Rate] = {}
    """How often trainings diverged, by variant, where any did."""
    caveats: tuple[str, ...] = ()
    """What must be known of the two variants, in words, whatever was measured."""
    scale: Scale = Scale(ratio=False)
    """What differences of its metric are."""

    def as_json(self) -> dict[str, Any]:
        """Plain values, as verdicts.json has them."""
        claim = self.claim
        ends = [self.low, self.high]
        return {
            "says": claim.says,
            "variants": list(claim.variants),
            "metric": claim.metric,
            "against": claim.against,
            "kind": claim.kind,
            "about": claim.about,
            "margin": claim.margin,
            "bound": claim.bound,
            "verdict": self.answer,
            "holds": self.holds,
            "effect": _finite(self.effect),
            "interval": None if self.effect is None or ends == [None, None] else [_finite(end) for end in ends],
            "level": self.level,
            "p": self.p,
            "alpha": self.alpha,
            "n": self.n,
            "looks": self.looks,
            "post_hoc": self.post_hoc,
            "needed": self.needed,
            "reason": self.reason,
            "caveats": list(self.caveats),
            "diverged": {name: rate._asdict() for name, rate in self.diverged.items()},
        }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
