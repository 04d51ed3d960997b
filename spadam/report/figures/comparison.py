"""The tuned comparison: the best of every study, and what its repeats with fresh seeds say of it."""

from __future__ import annotations

from typing import Any

from spadam.report.axis import Scale
from spadam.report.differences import differences
from spadam.report.drawing import Panel, colour, dots, line, rowed, symbol
from spadam.report.markup import Html, join, paragraph, table, tag
from spadam.report.section import Section, draw, gap, swatch
from spadam.report.tuned import TEST, Cell, tuned
from spadam.statistics.interval import ENOUGH, estimate
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.summary import notes_of
from spadam.text import count, interval_text, number

_ANCHOR, _TITLE = "comparison", "Tuned comparison"


def comparison(outcome: Outcome) -> Section:
    """A table with a line for every study, or trial on its front, that of differences, the seeds behind, and notes."""
    if not any(study.value is not None for study in outcome.summaries):
        reason = f"No trial has a finite {' and '.join(outcome.metrics)} yet, so there is nothing to compare."
        section = gap(_ANCHOR, _TITLE, reason)
        return section._replace(html=join([section.html, _notes(outcome)]))
    panels = [
        panel for metric in dict.fromkeys((*outcome.metrics, TEST)) if (panel := _panel(outcome, metric)) is not None
    ]
    head = ("variant", "metric", "training", "seed", "value")
    drawn = draw(_ANCHOR, _TITLE, _reading(outcome), panels, head, _numbers(outcome), wide=True)
    return drawn._replace(html=join([_table(outcome), drawn.html, differences(outcome), _notes(outcome)]))


def _reading(outcome: Outcome) -> str:
    repeats = "There are no repeats yet." if outcome.sweep.spec.repeat.seeds else "Nothing is repeated."
    if any(found for study in outcome.summaries for found in study.repeats):
        repeats = "Small marks are repeats, one a seed; the large mark is their mean, the bar its 95 % interval."
        if any(found.few for study in outcome.summaries for found in study.repeats if found):
            repeats += f" A dotted bar rests on fewer than {ENOUGH} seeds: too few to lean on."
    if outcome.is_front:
        many = count(outcome.sweep.spec.points, "trial")
        return (
            f"Up to {many} of each front, the middles of equal parts of it, each in a row. {repeats} The hollow mark "
            "is what the trial had itself: one that nobody beats was picked from many, and is optimistic."
        )
    if (choose := outcome.sweep.spec.chooses) is not None:
        return (
            f"{repeats} Each setting is the one of the {choose.top} best trials that had the best mean over "
            f"{count(choose.seeds, 'fresh seed')}. The hollow mark is what it had in the search: it is optimistic."
        )
    return f"{repeats} The hollow mark is the search's best value: picked as the best of many, it is optimistic."


def _table(outcome: Outcome) -> Html:
    shown = tuned(outcome)
    body = [(join([swatch(row.variant), row.name]), *map(_cell, row.cells)) for row in shown.rows]
    return tag("div", table(shown.head, body, "cards"), class_="scroll")


def _cell(cell: Cell) -> Html:
    said = tag("span", f" ({cell.aside})", class_="aside careful" if cell.careful else "aside") if cell.aside else ""
    return tag("span", cell.text, said)


def _panel(outcome: Outcome, metric: str) -> Panel | None:
    """A row for every setting: seeds, mean, interval, and of what is compared the trial's own value."""
    data: list[dict[str, Any]] = []
    rows, spread = [], []
    for row, setting in enumerate(outcome.settings):
        variant, name = outcome.number_of(setting.variant), setting.name
        style = {"color": colour(variant), "symbol": symbol(variant)}
        seeds = [(r.slot.seed, v) for r in setting.repeats if (v := outcome.value(r, metric)) is not None]
        mean, values = estimate([value for _, value in seeds]), [value for _, value in seeds]
        if mean is not None:
            ends = [mean.mean - (mean.half or 0.0), mean.mean + (mean.half or 0.0)]
            hover = [f"{name}, seed {seed}: {number(value)}" for seed, value in seeds]
            dash = "dot" if mean.few else "solid"
            data.append(line(ends, [row, row], color=colour(variant), width=3, dash=dash))
            data.append(dots(values, [row + 0.2] * len(values), hover, size=7, opacity=0.6, **style))
            data.append(dots([mean.mean], [row], [f"{name}, mean: {interval_text(mean)}"], size=13, **style))
            spread += [*values, *ends]
        best = outcome.value(setting.record, metric) if setting.record and metric in outcome.metrics else None
        if best is not None and setting.record is not None:
            what = "in the search" if outcome.is_front else f"{setting.record.slot.label}, the best of the search"
            text = f"{name}, {what}: {number(best)}"
            edge = {"width": 2, "color": colour(variant)}
            data.append(dots([best], [row], [text], size=11, color="var(--card)", symbol=symbol(variant), line=edge))
            spread.append(best)
        rows.append((name, interval_text(mean) if mean else "no repeats"))
    if not spread:
        return None
    better = "lower is better" if outcome.is_small_better(metric) else "higher is better"
    label = f"{metric}: {'; '.join(f'{name} {said}' for name, said in rows)}"
    return rowed(Scale.over(spread), f"{metric} ({better})", rows, data, label, metric)


def _numbers(outcome: Outcome) -> list[tuple[str, ...]]:
    return [
        (setting.name, metric, record.slot.label, str(record.slot.seed), number(value, 6))
        for setting in outcome.settings
        for record in (*([setting.record] if setting.record else []), *setting.repeats)
        for metric in dict.fromkeys((*outcome.metrics, TEST))
        if (value := outcome.value(record, metric)) is not None
    ]


def _notes(outcome: Outcome) -> Html:
    """What one must know to read the table, each once, with the variants that it is about."""
    notes = notes_of(outcome.summaries)
    if not notes:
        return Html()
    said = [tag("li", tag("b", ", ".join(names)), f": {note}") for note, names in notes.items()]
    return tag("div", paragraph("What one should know to read it:"), tag("ul", *said), class_="notes")
