"""The front of every variant: what may be had of one metric for how much of the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from spadam.report.axis import Scale
from spadam.report.drawing import MOST_BEHIND, Head, Panel, colour, dots, layout, line, symbol
from spadam.report.section import Chip, Section, draw, evenly, gap
from spadam.report.trials import MOST_MARKS
from spadam.statistics.interval import Estimate, estimate
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.setting import Setting
from spadam.sweep.store.attempts import Record
from spadam.text import count, number

_ANCHOR, _TITLE = "front", "Fronts"
_HEIGHT = 280
_FEWEST = 8
"""Trials beside the front that a panel draws whatever their number."""

_Place = tuple[float, float]
"""Across and upwards."""


class _Pair(NamedTuple):
    """Two metrics on a panel."""

    across: str
    upwards: str


def front(outcome: Outcome) -> Section:
    """A panel for every variant, all on the same axes; of more than two metrics one for each beside the first."""
    fronts = {name: outcome.front_of(name) for name in outcome.sweep.variants}
    if not any(fronts.values()):
        return gap(_ANCHOR, _TITLE, f"No trial has a finite {' and '.join(outcome.metrics)} yet.")
    pairs = [_Pair(other, outcome.metrics[0]) for other in outcome.metrics[1:]]
    drawn = {name: members for name, members in fronts.items() if members}
    panels = [_panel(outcome, pair, name, drawn) for pair, name in product(pairs, drawn)]
    absent = [name for name, members in fronts.items() if not members]
    missing = [f"Not drawn, for want of a trial with a value: {', '.join(absent)}."] if absent else []
    chips = [Chip(outcome.number_of(name), name, count(len(members), "trial")) for name, members in drawn.items()]
    head = ("variant", "trial", *outcome.metrics, *(f"{metric}, repeats" for metric in outcome.metrics))
    body = [row for name, members in drawn.items() for row in _numbers(outcome, name, members)]
    return draw(_ANCHOR, _TITLE, _reading(outcome, drawn), panels, head, body, missing=missing, legend=chips)


def _reading(outcome: Outcome, drawn: Mapping[str, Sequence[Record]]) -> str:
    ways = [f"{name} ({'lower' if outcome.is_small_better(name) else 'higher'} is better)" for name in outcome.metrics]
    reading = (
        f"Every mark is a trial, by {' and '.join(ways)}. The full marks are the front: no other trial of the variant "
        "is as good in all of them and better in one. Whatever lies on the bad side of the line is beaten by one of "
        "them."
    )
    if 1 < len(drawn) <= MOST_BEHIND:
        reading += " Thin grey lines are the other variants' fronts."
    if any(setting.repeats for setting in outcome.settings):
        reading += " A cross of two bars is the mean of the repeats of a trial, with its 95 % intervals."
    if outcome.judge.bands:
        reading += " Trials outside the bands are left out."
    if len(drawn) > 1:
        reading += " A front that lies beyond another everywhere is better whatever one is after."
    return reading


def _panel(outcome: Outcome, pair: _Pair, name: str, drawn: Mapping[str, Sequence[Record]]) -> Panel:
    side, height = (_scale(outcome, drawn, metric) for metric in pair)
    variant, members = outcome.number_of(name), drawn[name]
    style = {"color": colour(variant), "symbol": symbol(variant)}
    behind = [other for other in drawn if other != name] if len(drawn) <= MOST_BEHIND else []
    data = [_steps(outcome, pair, drawn[other], color="var(--ghost)", width=1.5) for other in behind]
    others = [record for record in _trials(outcome, name) if record not in members]
    others = evenly(others, max(_FEWEST, MOST_MARKS // len(drawn)))
    data.append(_marks(outcome, pair, others, (side, height), size=7, opacity=0.3, **style))
    data.append(_steps(outcome, pair, members, color=colour(variant), width=2))
    data.append(_marks(outcome, pair, members, (side, height), size=9, **style))
    for setting in outcome.settings:
        if setting.variant == name:
            data += _bars(outcome, pair, setting, (side, height))
    said = f"{count(len(members), 'trial')} of {len(others) + len(members)}"
    label = f"{name}: {pair.upwards} against {pair.across}, the front has {said}"
    return Panel(
        data, layout(side.axis(pair.across), height.axis(pair.upwards)), _HEIGHT, label, Head(name, said, variant)
    )


def _trials(outcome: Outcome, name: str) -> list[Record]:
    """The trials of a variant that count."""
    mine = (record for search in outcome.of_variant(name) for record in search.trials)
    return [record for record in mine if outcome.value(record) is not None]


def _scale(outcome: Outcome, drawn: Mapping[str, Sequence[Record]], metric: str) -> Scale:
    """The axis of ``metric`` that all panels share: as wide as the fronts and their repeats, and a little more."""
    shown = [record for members in drawn.values() for record in members]
    shown += [record for setting in outcome.settings for record in setting.judged]
    return Scale.over([v for record in shown if (v := outcome.value(record, metric)) is not None], room=0.12)


def _place(outcome: Outcome, pair: _Pair, record: Record) -> _Place | None:
    across, upwards = (outcome.value(record, metric) for metric in pair)
    return None if across is None or upwards is None else (across, upwards)


def _marks(
    outcome: Outcome, pair: _Pair, records: Iterable[Record], scales: tuple[Scale, Scale], **marker: Any
) -> dict[str, Any]:
    known = [(record, place) for record in records if (place := _place(outcome, pair, record)) is not None]
    said = [
        f"{record.slot.label}\n"
        + "\n".join(f"{name} {number(outcome.value(record, name))}" for name in outcome.metrics)
        for record, _ in known
    ]
    side, height = scales
    return dots([side.clip(x) for _, (x, _) in known], [height.clip(y) for _, (_, y) in known], said, **marker)


def _steps(outcome: Outcome, pair: _Pair, members: Iterable[Record], **style: Any) -> dict[str, Any]:
    """The line through a front, by corners: at each the worse of the two trials' values in either metric."""
    places = sorted(place for record in members if (place := _place(outcome, pair, record)) is not None)
    shape = "hv" if outcome.is_small_better(pair.across) else "vh"
    return line([x for x, _ in places], [y for _, y in places], shape=shape, **style)


def _bars(outcome: Outcome, pair: _Pair, setting: Setting, scales: tuple[Scale, Scale]) -> list[dict[str, Any]]:
    """The mean of the repeats of a setting, with its interval in both directions, as far as the axes reach."""
    found = [_estimate(outcome, setting, metric) for metric in pair]
    if any(one is None for one in found):
        return []
    (x, across), (y, upwards) = ((one.mean, one.half or 0.0) for one in found if one is not None)
    (side, height), variant = scales, outcome.number_of(setting.variant)
    style = {"color": colour(variant), "width": 2}
    text = f"{setting.name}, repeats\n{pair.across} {number(x)}\n{pair.upwards} {number(y)}"
    return [
        line([side.clip(x - across), side.clip(x + across)], [y, y], **style),
        line([x, x], [height.clip(y - upwards), height.clip(y + upwards)], **style),
        dots([x], [y], [text], size=5, color=colour(variant), symbol=symbol(variant)),
    ]


def _estimate(outcome: Outcome, setting: Setting, metric: str) -> Estimate | None:
    return estimate([value for record in setting.repeats if (value := outcome.value(record, metric)) is not None])


def _numbers(outcome: Outcome, name: str, members: Sequence[Record]) -> list[tuple[str, ...]]:
    repeated = {one.record.slot: one for one in outcome.settings if one.record is not None}
    rows = []
    for record in members:
        own = [number(outcome.value(record, metric), 6) for metric in outcome.metrics]
        setting = repeated.get(record.slot)
        means = [None if setting is None else _estimate(outcome, setting, metric) for metric in outcome.metrics]
        rows.append((name, record.slot.label, *own, *(number(None if m is None else m.mean, 6) for m in means)))
    return rows
