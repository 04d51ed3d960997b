"""What the claims of a sweep can come to with the units that it plans, before it runs or while more is planned."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from spadam.claims.judging import ALPHA, Case, differences
from spadam.claims.spec import ClaimSpec
from spadam.diagnostics.warned import Warned
from spadam.statistics.paired import fewest_units
from spadam.statistics.power import units_needed
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search
from spadam.sweep.outcome.verdicts import cases
from spadam.text import count

_SEEN = 3
"""A spread is known from so many units on."""


def warn_of_claims(sweep: Sweep, searches: Sequence[Search]) -> Iterator[Warned]:
    """Claims that can never be supported with what is planned, and those that need more units by what was seen."""
    spec = sweep.spec
    for about, units in (("settings", spec.repeat.seeds), ("variants", spec.search.studies)):
        mine = [claim for claim in spec.claims if claim.about == about]
        fewest = fewest_units(ALPHA / max(1, len(spec.claims)))
        if mine and units < fewest:
            yield _too_few(mine[0], units, fewest, len(spec.claims))
    there = {search.variant for search in searches}
    for case in cases(sweep, searches, {}) if all(name in there for name in sweep.variants) else ():
        yield from _weak(sweep, case)


def _too_few(claim: ClaimSpec, units: int, fewest: int, claims: int) -> Warned:
    alpha = f"{ALPHA / claims:.2g}" if claims > 1 else f"{ALPHA}"
    text = (
        f"{count(units, claim.unit)} cannot support a claim: a sign-flip test needs {fewest} to fall below {alpha}"
        + (f", the first level of {claims} claims" if claims > 1 else "")
    )
    return Warned("few_units", text, {"units": units, "fewest": fewest})


def _weak(sweep: Sweep, case: Case) -> Iterator[Warned]:
    """Where the units that are there have a spread in which the margin would be lost."""
    claim, found = case.claim, list(differences(case.arms, case.scale, case.larger_is_better).values())
    if claim.margin is None or len(found) < _SEEN or (deviation := statistics.stdev(found)) == 0:
        return
    needed = units_needed(case.scale.beyond(claim.margin), deviation, ALPHA / len(sweep.spec.claims))
    planned = sweep.spec.repeat.seeds if claim.about == "settings" else sweep.spec.search.studies
    if needed is None or needed > planned:
        many = "more than 10,000" if needed is None else f"{needed}"
        text = (
            f"{claim.says}: with the spread of {count(len(found), claim.unit)} so far, a difference as large as its "
            f"margin is found four times in five with {many}, and {planned} are planned"
        )
        numbers = {"planned": planned} if needed is None else {"planned": planned, "needed": needed}
        yield Warned("weak_claim", text, numbers, claim.variants)
