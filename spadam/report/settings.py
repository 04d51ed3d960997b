"""All settings of a sweep: its file, what is searched, and the best configurations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from spadam.report.markup import Html, fold, join, paragraph, table, tag
from spadam.report.section import Section, code
from spadam.spec import dump
from spadam.sweep.definition.space import Range
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.table import CSV
from spadam.sweep.store.attempts import Record
from spadam.text import number

_MOST_LINKS = 200


def settings(outcome: Outcome) -> Section:
    """The sweep's file, its ranges, the best configurations, and where the best runs lie."""
    link = tag("a", CSV, href=CSV)
    parts = [
        tag("p", "Every training with every setting that was searched and every metric stands in ", link, "."),
        fold("The sweep's file", code(dump(dict(outcome.attributes["spec"])))),
        fold("What is searched", table(("variant", "key", "range"), _ranges(outcome))),
        *(
            fold(
                f"The configuration of {title}" if outcome.is_front else f"The best configuration of {title}",
                code(dump(config)),
            )
            for title, config in _best(outcome)
        ),
        *_kept(outcome),
    ]
    return Section("settings", "All settings", join(parts))


def _ranges(outcome: Outcome) -> Iterable[tuple[str, ...]]:
    for name, variant in outcome.sweep.variants.items():
        for axis in variant.axes:
            yield name, axis.name, _range(axis.range)
        if not variant.axes:
            yield name, "nothing", "–"


def _range(range_: Range) -> str:
    if range_.choices is not None:
        return "one of " + ", ".join(map(str, range_.choices))
    ends = f"{number(range_.low)} to {number(range_.high)}"
    return ends + (", logarithmic" if range_.log else "") + (f", {range_.points} points" if range_.points else "")


def _best(outcome: Outcome) -> Iterable[tuple[str, dict[str, Any]]]:
    if outcome.is_front:
        found = [(setting.name, setting.record) for setting in outcome.settings]
    else:
        found = [(outcome.name(s), s.best) for name in outcome.sweep.variants for s in outcome.best_first(name)[:1]]
    for name, record in found:
        if record is not None and record.result is not None:
            yield name, record.result.config


def _kept(outcome: Outcome) -> Iterable[Html]:
    """Where the runs lie that the table is about, as links for a page that stays in its folder."""
    if outcome.folder is None:
        return
    runs = [
        (f"{outcome.name(one.search)}, {record.slot.phase} {record.slot.number}", record.slot.folder.as_posix())
        for one in outcome.settings
        for record in (*([one.record] if one.record else []), *one.repeats)
        if record.result is not None
    ]
    links = [tag("li", f"{name}: ", tag("a", place, href=quote(f"./{place}/"))) for name, place in runs[:_MOST_LINKS]]
    said = "Folders beside this page: an attempt in each, with its rows, weights and settings. "
    if len(runs) > _MOST_LINKS:
        said += f"These are the first {_MOST_LINKS} of {len(runs)}. "
    if any(search.best and _tracked(search.best) for search in outcome.searches):
        said += f"W&B's files are in it too: `wandb leet {runs[0][1]}/attempt-0/wandb/latest-run` shows such a run."
    if links:
        yield fold("The best runs and their repeats, as they lie here", paragraph(said), tag("ul", *links))


def _tracked(record: Record) -> bool:
    return record.result is not None and record.result.config["tracking"]["mode"] != "disabled"
