"""How the objective answers to the learning rate: every trial of the searches, and the best at each rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from spadam.report.axis import Scale
from spadam.report.drawing import Panel, Section, colour, crosses, dots, draw, gap, heading, layout, line, ring, symbol
from spadam.report.trials import EPS, Trial, count_missing, ranked, scale_of, searched, trials
from spadam.sweep.outcome.outcome import Outcome
from spadam.text import number

_ANCHOR = "response"
_HEIGHT = 250
_WORST = 1e3
"""What is so many times worse than the best is drawn at the edge: a longer axis would show nothing else."""
_LOGARITHMIC = 4.0
"""So large a ratio of the worst to the best asks for a logarithmic axis."""
_PARTS = 12
"""An envelope has at most so many corners."""


def response(outcome: Outcome) -> Section:
    """A panel for every variant, all on the same axes."""
    keys = {name: mine[0] for name, variant in outcome.sweep.variants.items() if (mine := searched(variant))}
    title = f"Objective against {' and '.join(dict.fromkeys(map(outcome.short, keys.values()))) or 'what was searched'}"
    if not keys:
        return gap(_ANCHOR, title, "No variant searches a number, so there is nothing to draw the objective against.")
    found = {name: [t for t in trials(outcome, name) if key in t.at] for name, key in keys.items()}
    values = [trial.value for mine in found.values() for trial in mine if trial.value is not None]
    if not values:
        return gap(_ANCHOR, title, f"No trial has a finite {outcome.metric} yet.")
    sides = {key: _side(outcome, key, keys, found) for key in dict.fromkeys(keys.values())}
    upright = _upright(values, outcome.minimize)
    envelopes = {name: _envelope(found[name], key, outcome.minimize, sides[key].log) for name, key in keys.items()}
    panels = [_panel(outcome, name, keys, found[name], envelopes, sides[keys[name]], upright) for name in keys]
    columns = tuple(dict.fromkeys(key for mine in found.values() for trial in mine for key in trial.at))
    head = ("variant", "training", *columns, "status", outcome.metric)
    body = [_numbers(name, trial, columns) for name in keys for trial in found[name]]
    return draw(_ANCHOR, title, _reading(outcome, found), panels, head, body)


def _reading(outcome: Outcome, found: Mapping[str, Sequence[Trial]]) -> str:
    everything = [trial for mine in found.values() for trial in mine]
    end = "top" if outcome.minimize else "bottom"
    reading = (
        f"Every mark is a trial of a search, as high as its {outcome.metric} ({outcome.better}); the line joins the "
        "best along the axis, the ring is the best of all, thin grey lines are the other variants. A flat line is an "
        "optimizer that does not mind."
    )
    if any(EPS in trial.at for trial in everything):
        reading += " The paler a mark, the smaller its eps."
    if any(trial.value is None for trial in everything):
        reading += f" A cross at the {end} is a training without a value (diverged, or stopped)."
    return reading


def _side(outcome: Outcome, key: str, keys: Mapping[str, str], found: Mapping[str, Sequence[Trial]]) -> Scale:
    return scale_of(outcome, key, [t.at[key] for name, mine in found.items() if keys[name] == key for t in mine])


def _upright(values: Sequence[float], minimize: bool) -> Scale:
    """The axis of the objective, cut off where values are hopeless."""
    if minimize and (best := min(values)) > 0:
        values = [value for value in values if value <= _WORST * best]
    return Scale.over(values, log=max(values) > _LOGARITHMIC * min(values) > 0, room=0.08)


def _envelope(found: Sequence[Trial], key: str, minimize: bool, log: bool) -> list[Trial]:
    """The best trial in each of equal parts of the axis, from left to right; few trials have few parts."""
    finite = [trial for trial in found if trial.value is not None]
    places = {trial.at[key] for trial in finite}
    side = Scale.over(places, log=log, room=0.01)
    parts = max(3, min(_PARTS, len(finite) // 2))
    best: dict[float, Trial] = {}
    for trial in ranked(finite, minimize):
        x = trial.at[key]
        best.setdefault(x if len(places) <= parts else math.floor(side.share(x) * parts), trial)
    return sorted(best.values(), key=lambda trial: trial.at[key])


def _panel(
    outcome: Outcome,
    name: str,
    keys: Mapping[str, str],
    found: Sequence[Trial],
    envelopes: Mapping[str, Sequence[Trial]],
    side: Scale,
    upright: Scale,
) -> Panel:
    key, variant = keys[name], outcome.number_of(name)
    others = [other for other in keys if other != name and keys[other] == key]
    data = [_path(envelopes[other], key, upright, color="var(--ghost)", width=1.5) for other in others]
    data.append(_path(envelopes[name], key, upright, color=colour(variant), width=2.5))
    inside = [trial for trial in found if trial.value is not None]
    marker = {"color": colour(variant), "symbol": symbol(variant), "size": 8, "opacity": _opacities(outcome, inside)}
    data.append(dots([t.at[key] for t in inside], _clip(inside, upright), [t.said for t in inside], **marker))
    lost = [trial for trial in found if trial.value is None]
    edge = upright.at(0.97 if outcome.minimize else 0.03)
    data.append(crosses([t.at[key] for t in lost], [edge] * len(lost), [t.said for t in lost]))
    aside = "no value yet"
    if inside:
        best = ranked(inside, outcome.minimize)[0]
        data.append(ring(best.at[key], _clip([best], upright)[0], best.said))
        aside = f"best {number(best.value)} at {outcome.short(key)} {number(best.at[key], 3)}"
    said = "; ".join(text for text in (aside, count_missing(found)) if text)
    label = f"{name}: {outcome.metric} against {outcome.short(key)}, {len(found)} trials, {said}"
    drawn = layout(side.axis(outcome.short(key)), upright.axis())
    return Panel(data, drawn, _HEIGHT, label, heading(variant, name, said))


def _path(found: Sequence[Trial], key: str, upright: Scale, **style: Any) -> dict[str, Any]:
    return line([trial.at[key] for trial in found], _clip(found, upright), **style)


def _clip(found: Sequence[Trial], upright: Scale) -> list[float]:
    """The values of ``found``; those beyond the axis lie at its edge."""
    low, high = upright.at(0.02), upright.at(0.98)
    return [min(high, max(low, trial.value)) for trial in found if trial.value is not None]


def _opacities(outcome: Outcome, found: Sequence[Trial]) -> list[float]:
    """From pale to full as eps grows, where it is searched."""
    if not any(EPS in trial.at for trial in found):
        return [0.75] * len(found)
    scale = scale_of(outcome, EPS, [trial.at[EPS] for trial in found if EPS in trial.at])
    return [round(0.25 + 0.75 * scale.share(trial.at[EPS]), 2) if EPS in trial.at else 0.75 for trial in found]


def _numbers(name: str, trial: Trial, keys: Sequence[str]) -> tuple[str, ...]:
    at = [number(trial.at.get(key), 4) for key in keys]
    return (name, trial.record.slot.label, *at, trial.status, number(trial.value, 6))
