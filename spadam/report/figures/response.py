"""How the objective answers to the learning rate: every trial of the searches, and the best of those that lie close.

Trials that lie side by side here differ in the other axes too: one eps may be right and the next hopeless. A line from
mark to mark would draw that as if the learning rate did it, so a line is the best of several neighbours, and there is
none where the trials are few.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from spadam.report.axis import Scale, upright
from spadam.report.drawing import MOST_BEHIND, Head, Panel, colour, crosses, dots, layout, line, ring, symbol
from spadam.report.section import Section, draw, gap
from spadam.report.seeds import thinned
from spadam.report.trials import (
    EPS,
    Trial,
    count_missing,
    has,
    marked,
    ranked,
    scale_of,
    searched,
    trials,
    unseen,
    without,
)
from spadam.sweep.outcome.outcome import Outcome
from spadam.text import number

_ANCHOR = "response"
_HEIGHT = 250
_ENOUGH = 20
"""Trials with a value; a variant with fewer has no line."""
_FEWEST, _MOST, _PART = 5, 25, 10
"""A point of a line is the best of so many neighbours: a tenth of the trials, within these bounds."""
_POINTS, _SHORTEST = 1_200, 24
"""Points of the lines of all variants together, and at least of one."""
_REACH = 1 / 6
"""Neighbours lie within this share of the axis; where too few do, the line is broken."""

_Line = list[tuple[float, float | None]]


def response(outcome: Outcome) -> Section:
    """A panel for every variant, all on the same axes."""
    keys = {name: mine[0] for name, variant in outcome.sweep.variants.items() if (mine := searched(variant))}
    title = f"Objective against {' and '.join(dict.fromkeys(map(outcome.short, keys.values()))) or 'what was searched'}"
    if not keys:
        return gap(_ANCHOR, title, "No variant searches a number, so there is nothing to draw the objective against.")
    found = {name: [t for t in trials(outcome, name) if key in t.at] for name, key in keys.items()}
    values = [trial.value for mine in found.values() for trial in mine if trial.value is not None]
    if not values:
        return gap(_ANCHOR, title, outcome.none_yet)
    sides = {key: _side(outcome, key, keys, found) for key in dict.fromkeys(keys.values())}
    height = upright(values, outcome.minimize)
    grid = outcome.sweep.spec.search.sampler == "grid"
    best = {name: _best_nearby(found[name], key, sides[key], outcome.minimize, grid) for name, key in keys.items()}
    lines = {name: thinned(drawn, max(_SHORTEST, _POINTS // len(keys))) for name, drawn in best.items()}
    shown, left_out = marked(found, outcome.minimize)
    panels = [
        _panel(outcome, name, keys, (found[name], shown[name]), lines, sides[keys[name]], height) for name in keys
    ]
    absent = [without(outcome, name, []) for name in outcome.sweep.variants if name not in keys]
    missing = [f"Not drawn: {', '.join(absent)}."] if absent else []
    columns = tuple(dict.fromkeys(key for mine in found.values() for trial in mine for key in trial.at))
    reading = _reading(outcome, keys, found, lines) + left_out
    head = ("variant", "training", *columns, "status", outcome.metric)
    body = [_numbers(name, trial, columns) for name in keys for trial in shown[name]]
    return draw(_ANCHOR, title, reading, panels, head, body, missing=missing)


def _reading(
    outcome: Outcome, keys: Mapping[str, str], found: Mapping[str, Sequence[Trial]], lines: Mapping[str, _Line]
) -> str:
    everything = [trial for mine in found.values() for trial in mine]
    reading = (
        f"Every mark is a trial of a search, as high as its {outcome.metric} ({outcome.better}); the ring is the best "
        "of all."
    )
    if beside := unseen(outcome, {name: [key] for name, key in keys.items()}):
        reading += f" Marks side by side differ in {beside} too, so a step between two of them says little."
    if any(lines.values()):
        reading += (
            " The line is the best of each trial and its neighbours on the axis, broken where these are far apart. "
            "A flat line is an optimizer that does not mind."
        )
        if 1 < len(keys) <= MOST_BEHIND:
            reading += " Thin grey lines are the other variants."
    if bare := [name for name in keys if not lines[name]]:
        who = "No variant has a line" if len(bare) == len(keys) else f"{', '.join(bare)}: no line"
        reading += f" {who}, for that takes {_ENOUGH} trials with a value."
    if any(EPS in trial.at for trial in everything):
        reading += " The paler a mark, the smaller its eps."
        if none := [name for name in keys if not has(outcome.sweep.variants[name], EPS)]:
            reading += f" {', '.join(none)}: no eps."
    if any(trial.value is None for trial in everything):
        end = "top" if outcome.minimize else "bottom"
        reading += f" A cross at the {end} is a training without a value ({outcome.valueless})."
    return reading


def _side(outcome: Outcome, key: str, keys: Mapping[str, str], found: Mapping[str, Sequence[Trial]]) -> Scale:
    return scale_of(outcome, key, [t.at[key] for name, mine in found.items() if keys[name] == key for t in mine])


def _best_nearby(found: Sequence[Trial], key: str, side: Scale, minimize: bool, grid: bool) -> _Line:
    """A running best: (place, value) from left to right, no value where the line is broken; empty for few trials.

    On a ``grid`` all places were tried with the same values of the other axes; there it is the best at each place.
    """
    pairs = sorted((trial.at[key], trial.value) for trial in found if trial.value is not None)
    if len(pairs) < _ENOUGH:
        return []
    alike = grid and len(set(Counter(trial.at[key] for trial in found).values())) == 1
    many = 1 if alike else max(_FEWEST, min(_MOST, len(pairs) // _PART))
    places, shares = [place for place, _ in pairs], [side.share(place) for place, _ in pairs]
    drawn: _Line = []
    for place in dict.fromkeys(places):
        here = bisect_left(places, place), bisect_right(places, place)
        first, end = _widen(shares, here, many)
        share = shares[here[0]]
        far = max(share - shares[first], shares[end - 1] - share) > _REACH
        drawn.append((place, None if far else (min if minimize else max)(value for _, value in pairs[first:end])))
    return drawn


def _widen(places: Sequence[float], here: tuple[int, int], many: int) -> tuple[int, int]:
    """The slice ``here`` of the sorted ``places``, with the nearest others until it has so ``many``.

    Equal places are taken together, so that nothing hangs on the order among them.
    """
    (first, end), middle = here, places[here[0]]
    while end - first < many and end - first < len(places):
        left = middle - places[first - 1] if first else inf
        right = places[end] - middle if end < len(places) else inf
        if left <= right:
            first = bisect_left(places, places[first - 1])
        if right <= left:
            end = bisect_right(places, places[end])
    return first, end


def _panel(
    outcome: Outcome,
    name: str,
    keys: Mapping[str, str],
    trials_: tuple[Sequence[Trial], Sequence[Trial]],
    lines: Mapping[str, _Line],
    side: Scale,
    height: Scale,
) -> Panel:
    """``trials_`` are all of the variant, and those that are drawn."""
    (found, shown), key, variant = trials_, keys[name], outcome.number_of(name)
    others = [other for other in keys if other != name and keys[other] == key] if len(keys) <= MOST_BEHIND else []
    data = [_path(lines[other], height, color="var(--ghost)", width=1.5) for other in others if lines[other]]
    if lines[name]:
        data.append(_path(lines[name], height, color=colour(variant), width=2.5))
    inside = [(trial, trial.value) for trial in shown if trial.value is not None]
    drawn = [trial for trial, _ in inside]
    marker = {"color": colour(variant), "symbol": symbol(variant), "size": 8, "opacity": _opacities(outcome, drawn)}
    heights = [height.clip(value) for _, value in inside]
    data.append(dots([trial.at[key] for trial in drawn], heights, [trial.said for trial in drawn], **marker))
    lost = [trial for trial in shown if trial.value is None]
    edge = height.at(0.97 if outcome.minimize else 0.03)
    data.append(crosses([t.at[key] for t in lost], [edge] * len(lost), [t.said for t in lost]))
    aside = "no value yet"
    if drawn:
        best = ranked(drawn, outcome.minimize)[0]
        data.append(ring(best.at[key], height.clip(best.value or 0.0), best.said))
        aside = f"best {number(best.value)} at {outcome.short(key)} {number(best.at[key], 3)}"
    said = "; ".join(text for text in (aside, count_missing(found)) if text)
    label = f"{name}: {outcome.metric} against {outcome.short(key)}, {len(found)} trials, {said}"
    axes = layout(side.axis(outcome.short(key)), height.axis(outcome.metric))
    return Panel(data, axes, _HEIGHT, label, Head(name, said, variant))


def _path(drawn: _Line, height: Scale, **style: Any) -> dict[str, Any]:
    values = [None if value is None else height.clip(value) for _, value in drawn]
    return line([place for place, _ in drawn], values, **style)


def _opacities(outcome: Outcome, found: Sequence[Trial]) -> list[float]:
    """From pale to full as eps grows, where it is searched."""
    if not any(EPS in trial.at for trial in found):
        return [0.75] * len(found)
    scale = scale_of(outcome, EPS, [trial.at[EPS] for trial in found if EPS in trial.at])
    return [round(0.25 + 0.75 * scale.share(trial.at[EPS]), 2) if EPS in trial.at else 0.75 for trial in found]


def _numbers(name: str, trial: Trial, keys: Sequence[str]) -> tuple[str, ...]:
    at = [number(trial.at.get(key), 4) for key in keys]
    return (name, trial.record.slot.label, *at, trial.status, number(trial.value, 6))
