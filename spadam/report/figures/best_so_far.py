"""The best value so far against the budget spent: whether more trials would help, and who leads at equal budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spadam.report.axis import Scale, upright
from spadam.report.drawing import Head, Panel, colour, crosses, dots, layout, line, symbol
from spadam.report.section import Chip, Section, draw, evenly, gap
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.progress import Search
from spadam.sweep.store.attempts import Record
from spadam.text import number

_ANCHOR, _TITLE = "best-so-far", "Best so far"
_HEIGHT = 330
_FEW = 12
"""So few trials are counted one by one; the axis of more finds round numbers that are whole by itself."""

_MOST_LOST = 40
"""Crosses of a study; of more, so many evenly over them."""

_DASHES = ("solid", "dash", "dot")
"""Of the first study of a variant, the second, and all others."""


class _Trial(NamedTuple):
    record: Record
    value: float | None
    best: float | None
    """The best value of this and all trials before it; None while there was none."""
    better: bool
    """Whether it is that best."""


def best_so_far(outcome: Outcome) -> Section:
    """One panel with a step line for every study of every variant."""
    spent = [(search, _spent(outcome, search)) for search in outcome.searches]
    spent = [(search, trials) for search, trials in spent if trials and trials[-1].best is not None]
    if not spent:
        return gap(_ANCHOR, _TITLE, outcome.none_yet)
    absent = {search.variant for search in outcome.searches} - {search.variant for search, _ in spent}
    names = [name for name in outcome.sweep.variants if name in absent]
    missing = [f"Not drawn, for want of a finite {outcome.metric}: {', '.join(names)}."] if names else []
    head = ("variant", "trials finished", "training", outcome.metric, "best so far")
    body = [
        (outcome.name(search), str(n), t.record.slot.label, number(t.value, 6), number(t.best, 6))
        for search, trials in spent
        for n, t in enumerate(trials, 1)
    ]
    chips = [
        Chip(outcome.number_of(search.variant), outcome.name(search), f"{number(trials[-1].best)} after {len(trials)}")
        for search, trials in spent
    ]
    panel = _panel(outcome, spent)
    return draw(
        _ANCHOR, _TITLE, _reading(outcome, spent), [panel], head, body, missing=missing, legend=chips, wide=True
    )


def _spent(outcome: Outcome, search: Search) -> list[_Trial]:
    """The finished trials of ``search`` in the order of its slots; each has used up its part of the budget."""
    sign, best = 1 if outcome.minimize else -1, None
    trials = []
    for record in search.trials:
        if record.result is None:
            continue
        value = outcome.value(record)
        better = value is not None and (best is None or sign * value < sign * best)
        best = value if better else best
        trials.append(_Trial(record, value, best, better))
    return trials


def _reading(outcome: Outcome, spent: Sequence[tuple[Search, Sequence[_Trial]]]) -> str:
    falls, fallen = ("falls", "fallen") if outcome.minimize else ("rises", "risen")
    reading = (
        f"The best {outcome.metric} ({outcome.better}) of all trials so far, in the order of the search; a mark is a "
        "trial that was better than all before it. What stands one above the other has cost equally many trials. A "
        f"line that still {falls} near its end asks for more of them; one that has not {fallen} for long does not. "
        "The best of many is optimistic: who is better is for the repeats to say."
    )
    if any(search.study for search, _ in spent):
        reading += " The lines of a variant are its studies: the first is whole, the others are broken."
    if outcome.sweep.spec.search.sampler == "grid":
        reading += " A grid is tried in the order of its values, so when the best came says nothing here."
    if any(trial.value is None for _, trials in spent for trial in trials):
        reading += f" A cross is a trial without a value ({outcome.valueless}): it has cost its place all the same."
    return reading


def _panel(outcome: Outcome, spent: Sequence[tuple[Search, Sequence[_Trial]]]) -> Panel:
    values = [trial.best for _, trials in spent for trial in trials if trial.best is not None]
    height = upright(values, outcome.minimize)
    long = max(outcome.sweep.trials, *(len(trials) for _, trials in spent))
    data = [trace for search, trials in spent for trace in _line(outcome, search, trials, height)]
    whole = {"dtick": 1} if long <= _FEW else {}
    axes = layout(
        Scale(0.0, 1.02 * long + 0.5, False).axis("search trials finished", **whole), height.axis(outcome.metric)
    )
    ends = "; ".join(f"{outcome.name(s)} {number(trials[-1].best)} after {len(trials)}" for s, trials in spent)
    return Panel(data, axes, _HEIGHT, f"best {outcome.metric} against trials finished: {ends}", Head(outcome.metric))


def _line(outcome: Outcome, search: Search, trials: Sequence[_Trial], height: Scale) -> list[dict[str, Any]]:
    variant, name = outcome.number_of(search.variant), outcome.name(search)
    edge = height.at(0.97 if outcome.minimize else 0.03)
    at = [edge if trial.best is None else height.clip(trial.best) for trial in trials]
    known = [(n, y) for n, (trial, y) in enumerate(zip(trials, at, strict=True), 1) if trial.best is not None]
    better = [(n, trial) for n, trial in enumerate(trials, 1) if trial.better]
    told = [f"{name} {t.record.slot.label}\n{number(t.value)}, the best of {n} trials" for n, t in better]
    turns = [(n, y) for (n, y), (_, before) in zip(known, [(0, None), *known], strict=False) if y != before]
    drawn = list(dict.fromkeys([*turns, *known[-1:]]))  # a line of steps needs its corners alone
    lost = [(n, trial, y) for n, (trial, y) in enumerate(zip(trials, at, strict=True), 1) if trial.value is None]
    lost = evenly(lost, _MOST_LOST)
    why = [f"{name} {t.record.slot.label}\n{outcome.outside(t.record) or _why(t)}" for _, t, _ in lost]
    return [
        line(
            [n for n, _ in drawn],
            [y for _, y in drawn],
            color=colour(variant),
            width=2,
            shape="hv",
            dash=_DASHES[min(search.study, 2)],
        ),
        dots([n for n, _ in better], [at[n - 1] for n, _ in better], told, **_marker(variant)),
        crosses([n for n, _, _ in lost], [y for *_, y in lost], why),
    ]


def _marker(variant: int) -> Mapping[str, Any]:
    return {"size": 8, "color": colour(variant), "symbol": symbol(variant)}


def _why(trial: _Trial) -> str:
    assert trial.record.result is not None
    status = trial.record.result.status
    return "no finite value" if status == "complete" else status
