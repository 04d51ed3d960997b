"""The page of two sweeps, part by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from spadam.claims.verdict import Verdict
from spadam.claims.words import ANSWERS, sentence
from spadam.report.heading import compared, state
from spadam.report.markup import Html, join, paragraph, table, tag
from spadam.report.pair.changes import Change
from spadam.report.pair.contrast import Contrast
from spadam.report.pair.differences import differences
from spadam.report.pair.pair import Pair
from spadam.report.section import Section, gap, swatch
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.summary import StudySummary
from spadam.text import NOTHING, count, number


def head(pair: Pair) -> Html:
    """The title, what is compared with what, and all of it in short."""
    facts = [
        tag("div", tag("dt", name), tag("dd", compared(one)), tag("dd", "".join(state(one))))
        for name, one in zip(pair.names, pair.outcomes, strict=True)
    ]
    return tag(
        "header",
        tag("p", "spadam: two sweeps", class_="kicker"),
        tag("h1", f"{pair.names[1]} against {pair.names[0]}"),
        tag("dl", *facts),
        *(paragraph(text, "lead") for text in _in_short(pair)),
    )


def _in_short(pair: Pair) -> Iterator[str]:
    asked, ran = (len(changes) for changes in (pair.asked, pair.ran_with))
    what = f"They were asked different things: {count(asked, 'key')} differ" if asked else "They were asked the same"
    with_ = f"ran with other versions, machines or data ({count(ran, 'key')})" if ran else "ran with the same versions"
    yield f"{what}, and {with_}.".replace("1 key differ,", "1 key differs,")
    told = [one for one in pair.contrasts if one.metric in (*pair.first.metrics, *pair.second.metrics)]
    same = [one for one in told if one.how == "identical"]
    if told and len(same) == len(told):
        yield "In the objective every repeat of every variant that both have is identical to the last bit."
    elif same:
        names = ", ".join(dict.fromkeys(one.variant for one in same))
        yield f"In the objective the repeats of {names} are identical to the last bit; those of the others are not."
    apart = [one for one in told if one.difference is not None and _is_apart(one)]
    if apart:
        said = "; ".join(f"{one.variant} {one.said()}" for one in apart)
        yield f"Intervals of the objective that leave out 0: {said}. {NO_CLAIM}"
    elif told and not same:
        yield f"No interval of the objective leaves out 0. {NO_CLAIM}"


NO_CLAIM = "No claim was made of these differences beforehand: they are reasons to look, not verdicts."


def _is_apart(one: Contrast) -> bool:
    found = one.difference
    return found is not None and (found.low > 0 or found.high < 0)


def sections(pair: Pair) -> list[Section]:
    """What follows the head, in its order."""
    return [_asked(pair), _ran_with(pair), _verdicts(pair), differences(pair), _settings(pair)]


def _verdicts(pair: Pair) -> Section:
    anchor, title = "verdicts", "Verdicts side by side"
    if not pair.answers:
        return gap(anchor, title, "Neither sweep's file claims anything.")
    body = [(one.says, *(_answer(verdict) for verdict in one)) for one in pair.answers]
    shown = tag("div", table(("claim", *pair.names), body, "cards words"), class_="scroll")
    reading = "What each sweep says to the same claim, by its own trainings; a dash is a claim that its file lacks."
    return Section(anchor, title, join([paragraph(reading, "reading"), shown]))


def _answer(verdict: Verdict | None) -> Html:
    if verdict is None:
        return join([NOTHING])
    return tag("span", tag("b", ANSWERS[verdict.answer]), f": {sentence(verdict)}")


def _settings(pair: Pair) -> Section:
    """The parameters that each found for every variant that both have."""
    anchor, title = "settings", "Tuned settings"
    theirs = {(other.variant, other.study): other for other in pair.second.summaries if not other.label}
    body = [
        (_named(pair.first, mine), key, *(number(each.params.get(key), 3) for each in (mine, other)))
        for mine in pair.first.summaries
        if not mine.label and (other := theirs.get((mine.variant, mine.study))) is not None
        for key in dict.fromkeys((*mine.params, *other.params))
    ]
    if not body:
        return gap(anchor, title, "No variant that both have has a tuned setting.")
    shown = tag("div", table(("variant", "key", *pair.names), body, "cards"), class_="scroll")
    reading = "What each search found best. Where these differ, so do the settings whose repeats are compared above."
    return Section(anchor, title, join([paragraph(reading, "reading"), shown]))


def _named(outcome: Outcome, study: StudySummary) -> Html:
    return join([swatch(outcome.number_of(study.variant)), outcome.name(study)])


def _asked(pair: Pair) -> Section:
    anchor, title = "asked", "What differs in the specification"
    both = zip(pair.names, pair.only, strict=True)
    parts = [paragraph(f"Only in {name}: {', '.join(only)}.") for name, only in both if only]
    if not pair.asked and not parts:
        return gap(anchor, title, "Nothing: with all defaults spelled out, both specifications are the same.")
    reading = "Key by key, with all defaults spelled out; a dash is a key that the one does not have."
    if pair.asked:
        parts = [paragraph(reading, "reading"), _changes(pair, pair.asked), *parts]
    return Section(anchor, title, join(parts))


def _ran_with(pair: Pair) -> Section:
    anchor, title = "ran-with", "What differs in versions, machine and data"
    if not pair.ran_with:
        return gap(anchor, title, "Nothing, as far as their trainings say.")
    return Section(anchor, title, _changes(pair, pair.ran_with))


def _changes(pair: Pair, changes: Sequence[Change]) -> Html:
    body = [(one.key, one.where or "all", one.first, one.second) for one in changes]
    return tag("div", table(("key", "of", *pair.names), body, "words"), class_="scroll")
