"""How dense a code is in training and in evaluation, and how many rows a step touches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from spadam.report.axis import Scale
from spadam.report.drawing import Panel, colour, dots, line, rowed, symbol
from spadam.report.section import Section, draw, gap
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.setting import Setting
from spadam.text import number

_ANCHOR, _TITLE = "density", "Latents on, and rows touched"
_TRAINED, _JUDGED, _TOUCHED = "sparsity/l0_train", "sparsity/l0_eval", "sparsity/rows_touched"


def density(outcome: Outcome) -> Section:
    """L0 in training and in evaluation, and the share of rows touched in a step, a row for every setting."""
    panels = [panel for draw_one in (_latents, _rows) if (panel := draw_one(outcome)) is not None]
    if not panels:
        return gap(_ANCHOR, _TITLE, "No training has measured how many latents are on.")
    reading = (
        "L0, latents on per sample: hollow in training, filled in evaluation; where the two are apart, so are the two "
        "codes. Rows touched: the share of rows with a gradient in a step; near 100 % all variants are one "
        "optimizer. Means over the repeats, or of the best trial while there are none."
    )
    head = ("variant", "L0 in training", "L0 in evaluation", "rows touched", "trainings")
    body = [
        (
            setting.name,
            *(number(_mean(outcome, setting, metric)) for metric in (_TRAINED, _JUDGED, _TOUCHED)),
            str(len(setting.judged)),
        )
        for setting in outcome.settings
    ]
    return draw(_ANCHOR, _TITLE, reading, panels, head, body, wide=True)


def _latents(outcome: Outcome) -> Panel | None:
    def mark(row: int, setting: Setting, found: Sequence[float | None]) -> tuple[list[dict[str, Any]], str]:
        trained, seen = found
        number_, name = outcome.number_of(setting.variant), setting.name
        data, style = [], {"size": 12, "symbol": symbol(number_)}
        if trained is not None and seen is not None:
            data.append(line([trained, seen], [row, row], color=colour(number_), width=2))
        if seen is not None:
            data.append(dots([seen], [row], [f"{name}: {number(seen)} in evaluation"], color=colour(number_), **style))
        if trained is not None:
            edge = {"width": 2, "color": colour(number_)}
            hollow = {"color": "rgba(0,0,0,0)", "size": 18, "symbol": symbol(number_), "line": edge}
            data.append(dots([trained], [row], [f"{name}: {number(trained)} in training"], **hollow))
        return data, f"{number(trained, 3)} → {number(seen, 3)}"

    return _panel(outcome, (_TRAINED, _JUDGED), mark, "latents per sample", "L0: training → evaluation", None)


def _rows(outcome: Outcome) -> Panel | None:
    def mark(row: int, setting: Setting, found: Sequence[float | None]) -> tuple[list[dict[str, Any]], str]:
        (touched,) = found
        if touched is None:
            return [], "–"
        number_, said = outcome.number_of(setting.variant), f"{100 * touched:.3g} %"
        style = {"color": colour(number_), "symbol": symbol(number_), "size": 12}
        bar = line([0, touched], [row, row], color=colour(number_), width=3)
        return [bar, dots([touched], [row], [f"{setting.name}: {said}"], **style)], said

    return _panel(outcome, (_TOUCHED,), mark, "share of all rows in a step", "rows touched", Scale(0.0, 1.0, False))


_Mark = Callable[[int, Setting, Sequence[float | None]], tuple[list[dict[str, Any]], str]]


def _panel(
    outcome: Outcome, metrics: Sequence[str], mark: _Mark, title: str, head: str, scale: Scale | None
) -> Panel | None:
    data: list[dict[str, Any]] = []
    rows, spread = [], []
    for row, setting in enumerate(outcome.settings):
        found = [_mean(outcome, setting, metric) for metric in metrics]
        marks, said = mark(row, setting, found)
        data += marks
        rows.append((setting.name, said))
        spread += [value for value in found if value is not None]
    if not spread:
        return None
    label = f"{head}: {'; '.join(f'{name} {said}' for name, said in rows)}"
    return rowed(scale or Scale.over(spread if _is_wide(spread) else [0.0, *spread]), title, rows, data, label, head)


def _is_wide(spread: Sequence[float]) -> bool:
    return max(spread) > 10 * min(spread) > 0


def _mean(outcome: Outcome, setting: Setting, metric: str) -> float | None:
    found = [value for record in setting.judged if (value := outcome.value(record, metric)) is not None]
    return sum(found) / len(found) if found else None
