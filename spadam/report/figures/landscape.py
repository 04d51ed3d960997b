"""The map of a search: the objective over the two most important axes, lr and eps where they are searched."""

from __future__ import annotations

from collections.abc import Sequence

from spadam.report.axis import Scale, quantile
from spadam.report.drawing import SEQUENCE, Panel, Section, crosses, dots, draw, gap, heading, layout, ring
from spadam.report.markup import Html, tag
from spadam.report.trials import Trial, count_missing, ranked, scale_of, searched, trials
from spadam.sweep.outcome.outcome import Outcome
from spadam.text import number

_ANCHOR, _TITLE = "landscape", "Where the good values lie"
_HEIGHT = 280
_SHOWN = 0.75
"""The colours tell so large a share of all trials apart, the better ones; the rest is as bad as bad is."""


def landscape(outcome: Outcome) -> Section:
    """A panel for every variant that searches two numbers, one scale of colours for all."""
    pairs = {name: (mine[0], mine[1]) for name, v in outcome.sweep.variants.items() if len(mine := searched(v)) > 1}
    if not pairs:
        return gap(_ANCHOR, _TITLE, "No variant searches two numbers, so there is no map.")
    found = {name: [t for t in trials(outcome, name) if all(key in t.at for key in pairs[name])] for name in pairs}
    values = [trial.value for mine in found.values() for trial in mine if trial.value is not None]
    if not values:
        return gap(_ANCHOR, _TITLE, f"No trial has a finite {outcome.metric} yet.")
    colours = _colours(values, outcome.minimize)
    scales = {
        key: scale_of(outcome, key, [t.at[key] for mine in found.values() for t in mine if key in t.at])
        for key in dict.fromkeys(key for pair in pairs.values() for key in pair)
    }
    panels = [_panel(outcome, name, pairs[name], found[name], scales, colours) for name in pairs]
    what = " and ".join(dict.fromkeys(f"{outcome.short(x)} and {outcome.short(y)}" for x, y in pairs.values()))
    reading = (
        f"Every mark is a trial at its {what}; the stronger its colour, the better its {outcome.metric}. The ring is "
        "the best; one at an edge of the map says that the range was too small. Crosses have no value."
    )
    head = ("variant", "training", "across", "upwards", outcome.metric)
    body = [
        (name, t.record.slot.label, *(f"{outcome.short(k)} {number(t.at[k])}" for k in pairs[name]), number(t.value, 6))
        for name in pairs
        for t in found[name]
    ]
    return draw(_ANCHOR, _TITLE, reading, panels, head, body, legend=_legend(outcome, colours))


def _colours(values: Sequence[float], minimize: bool) -> Scale:
    """What the colours stand for: from the best value to one that most are better than."""
    best, bad = (min(values), quantile(values, _SHOWN)) if minimize else (quantile(values, 1 - _SHOWN), max(values))
    return Scale.over([best, bad], log=best > 0 and bad / best > 3, room=0.0)


def _panel(
    outcome: Outcome,
    name: str,
    pair: tuple[str, str],
    found: Sequence[Trial],
    scales: dict[str, Scale],
    colours: Scale,
) -> Panel:
    across, upwards = pair
    drawn = ranked(found, outcome.minimize)[::-1]  # the better ones above the others
    shades = [_shade(trial.value or 0.0, colours, outcome.minimize) for trial in drawn]
    marker = {
        "size": 13,
        "color": shades,
        "cmin": 0,
        "cmax": 1,
        "colorscale": [[n / (len(SEQUENCE) - 1), shade] for n, shade in enumerate(SEQUENCE)],
        "line": {"width": 1, "color": "var(--edge)"},
    }
    data = [dots([t.at[across] for t in drawn], [t.at[upwards] for t in drawn], [t.said for t in drawn], **marker)]
    lost = [trial for trial in found if trial.value is None]
    data.append(crosses([t.at[across] for t in lost], [t.at[upwards] for t in lost], [t.said for t in lost]))
    said = "no value yet"
    if drawn:
        best = drawn[-1]
        data.append(ring(best.at[across], best.at[upwards], best.said))
        said = f"best at {', '.join(f'{outcome.short(key)} {number(best.at[key], 3)}' for key in pair)}"
    if missing := count_missing(found):
        said += f"; {missing}"
    xaxis, yaxis = scales[across].axis(outcome.short(across)), scales[upwards].axis(outcome.short(upwards))
    label = f"{name}: {len(found)} trials over {outcome.short(across)} and {outcome.short(upwards)}, {said}"
    return Panel(data, layout(xaxis, yaxis), _HEIGHT, label, heading(outcome.number_of(name), name, said))


def _shade(value: float, colours: Scale, minimize: bool) -> float:
    """0 for the best, 1 for what is as bad as the scale tells, or worse."""
    share = colours.share(min(colours.high, max(colours.low, value)))
    return round(share if minimize else 1 - share, 4)


def _legend(outcome: Outcome, colours: Scale) -> Html:
    best, bad = (colours.low, colours.high) if outcome.minimize else (colours.high, colours.low)
    ramp = tag("span", class_="ramp", aria_hidden="true")
    ends = tag("span", f"{outcome.metric}: {number(best)}"), tag("span", f"{number(bad)} or worse")
    return tag("p", ends[0], ramp, ends[1], class_="legend")
