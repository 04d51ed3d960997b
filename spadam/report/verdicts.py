"""What the page opens with: the sweep's answers to its claims, and how far its variants lie apart."""

from __future__ import annotations

from spadam.claims.comparison import Comparison, in_rows
from spadam.claims.judging import ALPHA
from spadam.claims.verdict import Verdict
from spadam.claims.words import ANSWERS, asked, difference, sentence
from spadam.report.markup import Html, join, paragraph, table, tag
from spadam.report.section import Section, swatch
from spadam.sweep.outcome.outcome import Outcome
from spadam.text import count

_ANCHOR = "verdicts"

_KINDS = {True: "yes", False: "no", None: "open"}


def verdicts(outcome: Outcome) -> Section:
    """The verdicts in words, and a table of differences."""
    answers, found = outcome.answers, [one for one in outcome.comparisons if one.difference is not None]
    title = "Verdicts" if answers else "Differences"
    parts = [_claims(answers), _differences(outcome, found)]
    if not answers and not found:
        why = "There is nothing to compare: " + (
            "a front has no one setting to speak of." if outcome.is_front else "no two variants have repeats yet."
        )
        return Section(_ANCHOR, title, paragraph(why, "gap"), gap=why)
    return Section(_ANCHOR, title, join(parts))


def _claims(answers: list[Verdict]) -> Html:
    if not answers:
        return Html()
    reading = (
        f"What the sweep's file claims, and what was measured. All {count(len(answers), 'claim')} together err with a "
        f"chance of {ALPHA} (Holm's procedure); a claim is supported or refuted where its interval clears its "
        "margin, and for support a sign-flip test agrees."
    )
    if len(answers) == 1:
        reading = reading.replace("All 1 claim together err", "The verdict errs").replace(" (Holm's procedure)", "")
    items = [
        tag(
            "li",
            tag("p", tag("b", ANSWERS[one.answer], class_=f"answer {_KINDS[one.holds]}"), " ", one.claim.says),
            paragraph(f"{sentence(one)}."),
            paragraph(f"decided by: {asked(one)}", "quiet"),
        )
        for one in answers
    ]
    return join([paragraph(reading, "reading"), tag("ul", *items, class_="claims")])


def _differences(outcome: Outcome, found: list[Comparison]) -> Html:
    """A table with a row for every variant and study, and a column for every metric."""
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
