"""How far two sweeps lie apart, variant by variant: figures of what they are judged by, and a table of all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from spadam.report.axis import Scale
from spadam.report.drawing import Panel, colour, dots, line, rowed, symbol
from spadam.report.markup import join, paragraph, table, tag
from spadam.report.pair.contrast import Contrast
from spadam.report.pair.pair import Pair
from spadam.report.section import Section, draw, gap, swatch
from spadam.report.tuned import TEST
from spadam.text import interval_text, number

_ANCHOR, _TITLE = "differences", "What differs in what came"


def differences(pair: Pair) -> Section:
    """A panel for each objective and the test error, and a table with all metrics that are told."""
    found = [one for one in pair.contrasts if one.how != "none"]
    if not found:
        return gap(_ANCHOR, _TITLE, _why_none(pair))
    drawn = dict.fromkeys((*pair.first.metrics, *pair.second.metrics, TEST))
    panels = [panel for name in drawn if (panel := _panel(pair, [o for o in found if o.metric == name])) is not None]
    head = ("variant", "metric", "sweep", "seed", "value")
    values = [
        (pair.first.name(one), one.metric, name, str(seed), number(value, 6))
        for one in found
        for name, mine in zip(pair.names, (one.first, one.second), strict=True)
        for seed, value in mine.items()
    ]
    figure = draw(_ANCHOR, _TITLE, _reading(pair, found), panels, head, values, wide=True)
    top = ("variant", "metric", *pair.names, "difference")
    body = [
        (
            join([swatch(pair.first.number_of(one.variant)), pair.first.name(one)]),
            one.metric,
            *(interval_text(mean) for mean in one.estimates),
            one.said(),
        )
        for one in found
    ]
    shown = tag("div", table(top, body, "cards wraps"), class_="scroll")
    lost = [paragraph(text, "gap") for text in _lost(pair)]
    return figure._replace(html=join([figure.html, shown, *lost]))


def _why_none(pair: Pair) -> str:
    if pair.first.is_front or pair.second.is_front:
        return "A front has no one setting that could be compared."
    return "No variant that both have has repeats in both, so there is nothing to compare."


def _reading(pair: Pair, found: Sequence[Contrast]) -> str:
    first, second = pair.names
    reading = (
        f"{second} less {first}, of the repeats of each variant's tuned setting, with 95 % intervals; errors are "
        "compared by their ratio."
    )
    hows = {one.how for one in found}
    if "identical" in hows:
        reading += " Identical is what has the same value to the last bit in every seed."
    if "paired" in hows:
        reading += " Paired is what both have of the same seeds: the differences are taken seed by seed."
    if "unpaired" in hows:
        reading += " Unpaired is what has not the same seeds in both: two samples, compared by Welch's interval."
    return reading + (
        " Each interval stands for itself, and no claim was made beforehand: of many some leave out 0 by chance, so "
        "they are reasons to look, not verdicts."
    )


def _lost(pair: Pair) -> list[str]:
    """How many repeats diverged, by sweep: they have no value to compare."""
    said = []
    for name, outcome in zip(pair.names, pair.outcomes, strict=True):
        repeats = [record for search in outcome.searches for record in search.repeats]
        if many := sum(record.status == "diverged" for record in repeats):
            said.append(f"{many} of {len(repeats)} repeats of {name} diverged; they are left out here.")
    return said


def _panel(pair: Pair, found: Sequence[Contrast]) -> Panel | None:
    """A row for every variant: the difference and its interval, beside a line at none."""
    if not found:
        return None
    data: list[dict[str, Any]] = [line([0.0, 0.0], [-0.7, len(found) - 0.5], color="var(--axis)", width=1.5)]
    rows, ends = [], [0.0]
    for row, one in enumerate(found):
        rows.append((pair.first.name(one), one.said()))
        apart, variant = one.difference, pair.first.number_of(one.variant)
        if apart is None:
            continue
        low, mean, high = (_shown(one, end) for end in (apart.low, apart.mean, apart.high))
        if math.isfinite(high - low):
            data.append(line([low, high], [row, row], color=colour(variant), width=3))
            ends += [low, high]
        hover = f"{pair.first.name(one)}: {one.said()}"
        data.append(dots([mean], [row], [hover], size=13, color=colour(variant), symbol=symbol(variant)))
        ends.append(mean)
    metric = found[0].metric
    unit = "%" if found[0].scale.ratio else "points" if found[0].scale.share else metric
    label = f"{metric}, {pair.names[1]} less {pair.names[0]}: {'; '.join(f'{name} {said}' for name, said in rows)}"
    return rowed(Scale.over(ends, log=False), f"difference, {unit}", rows, data, label, metric)


def _shown(one: Contrast, effect: float) -> float:
    """A difference as the axis has it: of a ratio per cent."""
    return 100 * math.expm1(effect) if one.scale.ratio else effect * (100 if one.scale.share else 1)
