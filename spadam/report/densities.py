"""The histogram of densities: how many latents of a model are on how often."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spadam.report.axis import Scale
from spadam.report.drawing import Head, Panel, colour, dots, layout, line, symbol
from spadam.sweep.outcome.outcome import Outcome
from spadam.text import number
from spadam.training.result import RunResult

_NAME = "sparsity/density_histogram"


class _Histogram(NamedTuple):
    """The mean over the seeds of a setting."""

    edges: list[float]
    """Of log10 density."""
    counts: list[float]
    """Latents between each two of them."""
    never: float
    """Latents that are never on."""


def densities(outcome: Outcome, results: Mapping[str, Sequence[RunResult]], height: int) -> Panel | None:
    """A panel with a line of steps for every variant of ``results``; None where none has measured it."""
    found = {name: mean for name, mine in results.items() if (mean := _mean(mine)) is not None}
    if not found:
        return None
    data, ends = [], []
    for name, mine in found.items():
        traces, places = _steps(outcome.number_of(name), name, mine)
        data += traces
        ends += places
    upwards = Scale.over([0.0, *(many for mine in found.values() for many in mine.counts)])
    said = "; ".join(f"{name} {number(mine.never)}" for name, mine in found.items())
    axes = layout(Scale.over(ends, log=True, room=0.03).axis("density"), upwards.axis("latents"))
    head = Head(_NAME, "latents by the share of validation samples that they are on in, mean over the seeds")
    return Panel(data, axes, height, f"{_NAME}; latents that are never on: {said}", head)


def _steps(variant: int, name: str, mine: _Histogram) -> tuple[list[dict[str, Any]], list[float]]:
    """The line, with a mark at its top, and the densities where it begins and ends."""
    held = [n for n, many in enumerate(mine.counts) if many > 0] or [0]
    first, last = held[0], held[-1]
    places = [10**edge for edge in mine.edges[first : last + 2]]
    steps = line(places, [*mine.counts[first : last + 1], mine.counts[last]], **_style(variant))
    top = max(held, key=lambda n: mine.counts[n])
    middle = 10 ** ((mine.edges[top] + mine.edges[top + 1]) / 2)
    hover = f"{name}: {number(mine.counts[top])} latents here\n{number(mine.never)} never on"
    mark = dots([middle], [mine.counts[top]], [hover], size=8, color=colour(variant), symbol=symbol(variant))
    return [steps, mark], [places[0], places[-1]]


def _style(variant: int) -> dict[str, Any]:
    return {"color": colour(variant), "width": 2, "shape": "hv"}


def _mean(results: Sequence[RunResult]) -> _Histogram | None:
    arrays = [result.arrays.get(_NAME, {}) for result in results]
    whole = [found for found in arrays if {"edges", "counts", "never"} <= found.keys()]
    if not whole:
        return None
    counts = [statistics.fmean(column) for column in zip(*(found["counts"] for found in whole), strict=True)]
    return _Histogram(list(whole[0]["edges"]), counts, statistics.fmean(found["never"] for found in whole))
