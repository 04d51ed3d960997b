"""What the page opens with: the sweep's answers to its claims."""

from __future__ import annotations

from spadam.claims.judging import ALPHA
from spadam.claims.words import ANSWERS, asked, sentence
from spadam.report.markup import join, paragraph, tag
from spadam.report.section import Section
from spadam.sweep.outcome.outcome import Outcome
from spadam.text import count

_ANCHOR, _TITLE = "verdicts", "Verdicts"

_KINDS = {True: "yes", False: "no", None: "open"}


def verdicts(outcome: Outcome) -> Section:
    """The verdicts in words."""
    answers = outcome.answers
    if not answers:
        why = "The sweep's file claims nothing, so nothing is decided here."
        if any(one.difference is not None for one in outcome.comparisons):
            why += " How far its variants lie apart stands in the tuned comparison."
        return Section(_ANCHOR, _TITLE, paragraph(why, "gap"), gap=why)
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
    return Section(_ANCHOR, _TITLE, join([paragraph(reading, "reading"), tag("ul", *items, class_="claims")]))
