"""The map of a search: the objective over the two most important axes, lr and eps where they are searched."""

from __future__ import annotations

from collections.abc import Sequence

from spadam.report.axis import Scale, quantile
from spadam.report.drawing import SEQUENCE, Head, Panel, crosses, dots, layout, ring
from spadam.report.section import Ramp, Section, draw, gap
from spadam.report.trials import Trial, count_missing, marked, ranked, scale_of, searched, trials, unseen, without
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
        return gap(_ANCHOR, _TITLE, outcome.none_yet)
    colours = _colours(values, outcome.minimize)
    keys = list(dict.fromkeys(key for pair in pairs.values() for key in pair))
    scales = {
        key: scale_of(outcome, key, [t.at[key] for mine in found.values() for t in mine if key in t.at]) for key in keys
    }
    shown, left_out = marked(found, outcome.minimize)
    panels = [_panel(outcome, name, pairs[name], (found[name], shown[name]), scales, colours) for name in pairs]
    what = " and ".join(dict.fromkeys(f"{outcome.short(x)} and {outcome.short(y)}" for x, y in pairs.values()))
    edge = "; one at an edge of the map says that the range was too small"
    if outcome.judge.bands:
        edge = " within the bands, which may hold it there; a cross may lie outside them"
    reading = (
        f"Every mark is a trial at its {what}; the stronger its colour, the better its {outcome.metric}. The ring is "
        f"the best{edge}. Crosses have no value."
    )
    if beside := unseen(outcome, pairs):
        reading += f" The trials differ in {beside} too, which the map does not show."
    reading += left_out
    absent = [without(outcome, name, keys) for name in outcome.sweep.variants if name not in pairs]
    missing = [f"Not on a map, for want of a second searched number: {', '.join(absent)}."] if absent else []
    head = ("variant", "training", "across", "upwards", outcome.metric)
    body = [
        (name, t.record.slot.label, *(f"{outcome.short(k)} {number(t.at[k])}" for k in pairs[name]), number(t.value, 6))
        for name in pairs
        for t in shown[name]
    ]
    return draw(_ANCHOR, _TITLE, reading, panels, head, body, missing=missing, legend=_legend(outcome, colours))


def _colours(values: Sequence[float], minimize: bool) -> Scale:
    """What the colours stand for: from the best value to one that most are better than."""
    best, bad = (min(values), quantile(values, _SHOWN)) if minimize else (quantile(values, 1 - _SHOWN), max(values))
    return Scale.over([best, bad], log=best > 0 and bad / best > 3, room=0.0)


def _panel(
    outcome: Outcome,
    name: str,
    pair: tuple[str, str],
    trials_: tuple[Sequence[Trial], Sequence[Trial]],
    scales: dict[str, Scale],
    colours: Scale,
) -> Panel:
    """``trials_`` are all of the variant, and those that are drawn."""
    (found, shown), (across, upwards) = trials_, pair
    drawn = ranked(shown, outcome.minimize)[::-1]  # the better ones above the others
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
    lost = [trial for trial in shown if trial.value is None]
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
    return Panel(data, layout(xaxis, yaxis), _HEIGHT, label, Head(name, said, outcome.number_of(name)))


def _shade(value: float, colours: Scale, minimize: bool) -> float:
    """0 for the best, 1 for what is as bad as the scale tells, or worse."""
    share = colours.share(min(colours.high, max(colours.low, value)))
    return round(share if minimize else 1 - share, 4)


def _legend(outcome: Outcome, colours: Scale) -> Ramp:
    best, bad = (colours.low, colours.high) if outcome.minimize else (colours.high, colours.low)
    return Ramp(f"{outcome.metric}: {number(best)}", f"{number(bad)} or worse")
