"""The top of a page: what was compared, how far it is, when and on what it was trained."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from spadam.report.markup import Html, join, paragraph, tag
from spadam.statistics.interval import ENOUGH
from spadam.sweep.outcome.outcome import Outcome
from spadam.text import count, duration

INTERVALS = (
    "Intervals in tables and figures are 95 % (Student's t over n seeds) and each stands for itself; under "
    f"{ENOUGH} seeds they are marked as too few. Only a claim's verdict says what differs."
)


def head(outcome: Outcome) -> Html:
    """The title, one line that says it all, and the facts."""
    how, far = state(outcome)
    told = join([tag("b", how), far])
    facts = [tag("div", tag("dt", name), tag("dd", value)) for name, value in _facts(outcome) if value]
    return tag(
        "header",
        tag("p", "spadam sweep", class_="kicker"),
        tag("h1", outcome.sweep.name),
        paragraph(compared(outcome), "lead"),
        tag("p", told, class_="state done" if outcome.done else "state"),
        tag("dl", *facts),
        paragraph(INTERVALS, "quiet"),
    )


def compared(outcome: Outcome) -> str:
    """What was compared, on what, and how it was searched."""
    sweep = outcome.sweep
    search, seeds = sweep.spec.search, sweep.spec.repeat.seeds
    axes = ", ".join(map(outcome.short, outcome.axes))
    space = f"over {axes} ({search.sampler})" if axes else "and nothing searched"
    studies = "" if search.studies == 1 else f" in each of {search.studies} independent studies"
    best = f"of each front up to {count(sweep.spec.points, 'trial')}" if outcome.is_front else "each best"
    if (choose := sweep.spec.chooses) is not None:
        best = f"each best, chosen among {choose.top} trials by the mean of {count(choose.seeds, 'fresh seed')},"
    again = "are" if outcome.is_front and sweep.spec.points > 1 else "is"
    repeats = f"; {best} {again} trained again with {count(seeds, 'fresh seed')}" if seeds else "; nothing is repeated"
    data = " and ".join(dict.fromkeys(str(v.document.data["data"]["name"]) for v in sweep.variants.values()))
    variants = count(len(sweep.variants), "variant")
    trials = count(sweep.trials, "trial")
    return f"{variants} on {data}, {trials} for each{studies} {space}{repeats}. Objective: {outcome.aim}."


def state(outcome: Outcome) -> tuple[str, str]:
    """How far the sweep is: the word for it, and the rest of the sentence."""
    variants = outcome.status()["variants"].values()
    total = {name: sum(counts[name] for counts in variants) for name in ("slots", "accepted", "running", "failed")}
    said = f"{total['accepted']} of {total['slots']} trainings"
    if outcome.done:
        return "Finished: ", said + "."
    more = "".join(f", {total[name]} {name}" for name in ("running", "failed") if total[name])
    if (since := outcome.left_since) is not None:
        more += f"; nobody works on it since {_moment(since)} UTC"
    return "So far: ", f"{said}{more}. The page is as old as its last training."


def _facts(outcome: Outcome) -> list[tuple[str, str]]:
    provenance = [result.provenance for result in outcome.results]
    seconds = [found["seconds"] for found in provenance if found.get("seconds") is not None]
    begun = [(datetime.fromisoformat(p["started"]), p.get("seconds") or 0.0) for p in provenance if p.get("started")]
    when = ""
    if begun:
        first, last = min(start for start, _ in begun), max(start + timedelta(seconds=long) for start, long in begun)
        when = f"{_moment(first)} to {_moment(last)} UTC"
    on = [f"{p['device']}, {p['threads']} thread{'s' * (p['threads'] != 1)}" for p in provenance if "device" in p]
    each = f"{duration(sum(seconds) / len(seconds))} a training, {duration(sum(seconds))} in all" if seconds else ""
    return [("Trained", when), ("On", "; ".join(dict.fromkeys(on))), ("Time", each)]


def _moment(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"
