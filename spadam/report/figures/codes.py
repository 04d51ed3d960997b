"""The code that a model is trained with against the code that it is judged by.

Where the two differ, a low training loss says nothing of the evaluation: the article compared optimizers across that
difference.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from spadam.report.axis import Scale
from spadam.report.drawing import SQUARE, Head, Panel, colour, dots, layout, line, symbol, words
from spadam.report.section import Chip, Section, draw, evenly, gap
from spadam.sweep.outcome.outcome import Outcome
from spadam.text import number

_ANCHOR, _TITLE = "codes", "Training code against evaluation code"
_SPLITS = {"train": "training samples", "test": "test samples"}
_MOST_MARKS = 600
"""Trainings that a panel draws, of all variants together."""
_FACTORS = (2, 5, 10, 20, 50, 100, 1000)


class _Point(NamedTuple):
    variant: str
    name: str
    training: str
    """The training's label."""
    trained: float
    """FVU with the training code."""
    judged: float
    """FVU with the evaluation code."""


def codes(outcome: Outcome) -> Section:
    """FVU with the one code against FVU with the other, on training and on test samples, with the diagonal."""
    points = {split: _points(outcome, split) for split in _SPLITS}
    everything = [point for found in points.values() for point in found]
    if not everything:
        reason = "No training has fvu_training_code beside fvu, so the two codes cannot be compared."
        return gap(_ANCHOR, _TITLE, reason)
    ends = [value for point in everything for value in (point.trained, point.judged)]
    # Positive whatever happens: a share of an error. A little room keeps rounding from looking like a difference.
    scale = Scale.over([min(ends) / 1.3, max(ends) * 1.3], log=min(ends) > 0)
    panels = [_panel(found, _SPLITS[split], outcome, scale) for split, found in points.items() if found]
    reading = (
        "On the diagonal a model is judged by the code that it was trained with; off it, by another one. Above it, it "
        "reconstructs worse than its training loss promises, whatever its optimizer. Both axes are FVU, the share of "
        "variance that is missed; lower is better. Behind each name: how many times worse it is when judged."
    )
    if not points["test"]:
        reading += " Only repeats measure the test samples, and there are none yet."
    drawn = {point.variant for point in everything}
    absent = [name for name in outcome.sweep.variants if name not in drawn]
    missing = [f"Without both codes, so not drawn: {', '.join(absent)}."] if absent else []
    head = ("variant", "samples", "training", "FVU, training code", "FVU, evaluation code", "factor")
    body = [
        (p.name, _SPLITS[split], p.training, number(p.trained, 5), number(p.judged, 5), f"{p.judged / p.trained:.3f}")
        for split, found in points.items()
        for p in found
    ]
    legend = _legend(outcome, points)
    return draw(_ANCHOR, _TITLE, reading, panels, head, body, missing=missing, legend=legend, wide=True)


def _points(outcome: Outcome, split: str) -> list[_Point]:
    found = []
    for setting in outcome.settings:
        for record in setting.judged:
            trained = outcome.value(record, f"{split}/fvu_training_code")
            seen = outcome.value(record, f"{split}/fvu")
            if trained and seen is not None:
                found.append(_Point(setting.variant, setting.name, record.slot.label, trained, seen))
    return found


def _panel(found: list[_Point], what: str, outcome: Outcome, scale: Scale) -> Panel:
    ends = [scale.low, scale.high]
    data: list[dict[str, Any]] = [line(ends, ends, color="var(--ink)", width=1.5)]
    notes = [_note("same", scale, 1)]
    if scale.log:
        most = max(point.judged / point.trained for point in found)
        for factor in _factors(most, scale):
            data.append(line([scale.low, scale.high / factor], [scale.low * factor, scale.high], **_DOTTED))
            notes.append(_note(f"×{factor}", scale, factor))
    for name in dict.fromkeys(point.variant for point in found):
        mine, number_ = [point for point in found if point.variant == name], outcome.number_of(name)
        mine = evenly(mine, max(1, _MOST_MARKS // len(outcome.sweep.variants)))
        said = [f"{p.name} {p.training}\n{number(p.trained)} as trained, {number(p.judged)} as judged" for p in mine]
        marker = {"size": 11, "opacity": 0.8, "color": colour(number_), "symbol": symbol(number_)}
        data.append(dots([p.trained for p in mine], [p.judged for p in mine], said, **marker))
    xaxis = scale.axis("FVU with the training code", constrain="domain", constraintoward="left")
    yaxis = scale.axis("FVU with the evaluation code", scaleanchor="x", constrain="domain", constraintoward="top")
    drawn = layout(xaxis, yaxis, annotations=notes)
    label = f"FVU with the evaluation code against FVU with the training code, {what}, {len(found)} trainings"
    return Panel(data, drawn, SQUARE, label, Head(what))


_DOTTED = {"color": "var(--axis)", "width": 1, "dash": "dot"}


def _factors(most: float, scale: Scale) -> list[int]:
    """Which multiples of the diagonal help to read how far the points are from it: at most two, and one beyond."""
    useful = [factor for factor in _FACTORS if factor < scale.high / scale.low]
    below = [factor for factor in useful if factor <= most]
    above = [factor for factor in useful if factor > most][: 1 if most > 1.2 else 0]
    return [*below[-2:], *above]


def _note(text: str, scale: Scale, factor: int) -> dict[str, Any]:
    """A label at the upper end of a diagonal."""
    x, y = scale.high / factor, scale.high
    place = {"x": math.log10(x), "y": math.log10(y)} if scale.log else {"x": x, "y": y}
    return words(text, {**place, "xanchor": "right", "yanchor": "top", "xshift": -14}, colour="var(--muted)")


def _legend(outcome: Outcome, points: dict[str, list[_Point]]) -> list[Chip]:
    """Every variant with the factor between its two codes, on the samples that it was trained on."""
    chips = []
    for name in outcome.sweep.variants:
        ratios = [p.judged / p.trained for p in points["train"] or points["test"] if p.variant == name]
        if ratios:
            factor = math.exp(math.fsum(map(math.log, ratios)) / len(ratios))
            said = f"×{factor:.2f}" if factor < 10 else f"×{factor:.0f}"
            chips.append(Chip(outcome.number_of(name), name, said))
    return chips
