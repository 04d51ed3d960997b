"""How far the variants of a sweep lie apart, seed by seed, as a table."""

from __future__ import annotations

from spadam.claims.comparison import in_rows
from spadam.claims.words import difference
from spadam.report.markup import Html, join, paragraph, table, tag
from spadam.report.section import swatch
from spadam.sweep.outcome.outcome import Outcome


def differences(outcome: Outcome) -> Html:
    """A row for every variant and study, and a column for every metric; nothing where no two variants have repeats."""
    found = [one for one in outcome.comparisons if one.difference is not None]
    if not found:
        return Html()
    metrics = list(dict.fromkeys(one.metric for one in found))
    several = outcome.sweep.spec.search.studies > 1
    reading = (
        f"What every variant has less {outcome.sweep.reference}, seed by seed, with 95 % intervals that stand each for "
        "itself: a table of many will hold a difference by chance. Errors are compared by their ratio."
    )
    if several:
        reading += " Of all studies together the unit is a study: only these rows speak of variants, not of settings."
    body = []
    for mine in in_rows(found):
        first = next(iter(mine.values()))
        name = join([swatch(outcome.number_of(first.first)), first.name(several)])
        body.append((name, *(difference(mine[metric]) if metric in mine else "–" for metric in metrics)))
    shown = table((f"less {outcome.sweep.reference}", *metrics), body, "cards")
    return join([paragraph(reading, "reading"), tag("div", shown, class_="scroll")])
