"""What came of a sweep, as rows, numbers, a CSV file, and the best configuration of a variant."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spadam.config import RunConfig
from spadam.files import write_atomic
from spadam.spec import InputError
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search, expected_choosings, expected_repeats
from spadam.sweep.search.objective import Judge, judge
from spadam.sweep.search.slots import Phase, choosing_seeds, repeat_seeds, turn
from spadam.sweep.store.attempts import Record
from spadam.text import number

CSV = "trials.csv"
"""The file of all trainings, in the folder of a sweep and beside every page."""

_COLUMNS = ("variant", "phase", "study", "slot", "seed", "status", "attempts", "value")
_MORE = ("outside", "front")
"""Where there are bands, or a front."""

_MOST_POINTS = 12


def rows(sweep: Sweep, searches: Sequence[Search]) -> list[dict[str, Any]]:
    """One row a slot, with what its accepted attempt gave.

    `status` is complete, pruned, diverged, waiting, running or failed; a finished slot that trains again what is no
    longer among the best is superseded. `value` is the objective of a complete training, within the bands where there
    are some, else null; `attempts` counts those that were begun. Where there are bands, `outside` says how far a
    training lies outside them (0: it does not; null: not known), and where several metrics are compared, `front`
    whether a trial is on the front of its study.
    """
    return [row for search in searches for row in _rows(sweep, search)]


def _rows(sweep: Sweep, search: Search) -> list[dict[str, Any]]:
    ours, is_front = judge(sweep.spec.objective), sweep.spec.objective.is_front
    superseded = [record for record in search.superseded if record.started]
    found = [_row(sweep, record, ours) for record in search.records]
    found += [{**_row(sweep, record, ours), "status": "superseded"} for record in superseded]
    choosings, repeats = expected_choosings(sweep, search), expected_repeats(sweep, search)
    found += _unknown(search, "choose", choosings, search.choosings, choosing_seeds(sweep, search.study))
    found += _unknown(search, "repeat", repeats, search.repeats, repeat_seeds(sweep, search.study))
    front = {record.slot.number for record in search.front}
    for row in found:
        if ours.bands:
            row.setdefault("outside", None)
        if is_front:
            row["front"] = row["phase"] == "search" and row["slot"] in front
    return sorted(found, key=lambda row: turn(row["phase"], row["slot"], row["study"], 0))


def _unknown(
    search: Search, phase: Phase, planned: int, there: Sequence[Record], seeds: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """Slots of a phase that are ``planned`` while what they train is not known, beside those that are ``there``."""
    old = [record for record in search.superseded if record.slot.phase == phase]
    index = max((record.slot.number + 1 for record in (*there, *old)), default=0)
    taken = Counter(record.slot.seed for record in there)
    for place in range(index, index + planned - len(there)):
        seed = min(seeds, key=lambda seed: taken[seed])  # all come equally often
        taken[seed] += 1
        yield _fields(search.variant, place, phase, search.study, seed, "waiting")


def _row(sweep: Sweep, record: Record, ours: Judge) -> dict[str, Any]:
    slot = record.slot
    state = "waiting" if record.state == "planned" else record.state
    row = _fields(slot.variant, slot.number, slot.phase, slot.study, slot.seed, record.status or state)
    row["params"] = record.params(sweep.variants[slot.variant]) or {}
    if record.status == "complete":
        values = ours.values(record.metrics)
        row["value"] = values[0] if values is not None and len(values) == 1 else None
        if ours.bands:
            row["outside"] = ours.distance(record.metrics)
    row["metrics"] = record.metrics
    row["attempts"] = len(record.started)
    return row


def _fields(variant: str, slot: int, phase: Phase, study: int, seed: int, status: str) -> dict[str, Any]:
    return {
        "variant": variant,
        "slot": slot,
        "phase": phase,
        "study": study,
        "seed": seed,
        "status": status,
        "params": {},
        "value": None,
        "metrics": {},
        "attempts": 0,
    }


def columns_of(rows: Sequence[dict[str, Any]], shown: Sequence[str] = ()) -> list[str]:
    """The columns of a table of ``rows``: what names a training, its state, every parameter and every metric.

    Of the metrics those come first that are ``shown`` elsewhere too.
    """
    params = list(dict.fromkeys(name for row in rows for name in row["params"]))
    more = [name for name in _MORE if any(name in row for row in rows)]
    others = sorted({name for row in rows for name in row["metrics"]} - set(shown))
    return [*_COLUMNS, *more, *params, *shown, *others]


def write_csv(path: Path, rows: Sequence[dict[str, Any]], shown: Sequence[str] = ()) -> None:
    """Write ``rows`` to ``path``: a line a slot, with the columns of :func:`columns_of`.

    Nothing is written when the file says the same already.
    """
    text = io.StringIO(newline="")
    names = columns_of(rows, shown)
    writer = csv.DictWriter(text, names, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, **row["params"], **row["metrics"]} for row in rows)
    content = text.getvalue().encode()
    if not path.exists() or path.read_bytes() != content:
        write_atomic(path, content)


def best_config(sweep: Sweep, searches: Sequence[Search], which: str) -> RunConfig:
    """The configuration of the best search trial of the variant ``which``, or of one of its trials: variant/search-7.

    Of several studies it is the one with the best value, or with the best mean where settings are chosen. Raises
    :class:`InputError` when there is none, and where several metrics are compared, so that a front has no best: it says
    which trials are on it.
    """
    variant, _, label = which.partition("/")
    if variant not in sweep.variants:
        known = ", ".join(sweep.variants)
        raise InputError("variant", which, "the sweep has no such variant", f"choose one of: {known}")
    mine = [search for search in searches if search.variant == variant]
    record = _labelled(mine, which, label) if label else _best(sweep, mine, variant)
    params = record.params(sweep.variants[variant])
    assert params is not None
    return sweep.variants[variant].config(params, record.slot.seed, record.gradient_rms)


def _best(sweep: Sweep, searches: Sequence[Search], variant: str) -> Record:
    objective, ours = sweep.spec.objective, judge(sweep.spec.objective)
    found = [
        (costs, number, search.best)
        for number, search in enumerate(searches)
        if search.best is not None and (costs := search.standing(ours)) is not None
    ]
    if not found:
        rule = f"no trial of it has a finite {' and '.join(objective.asked)} yet"
        more = "" if ours.bands or objective.is_front else ", or widen its ranges"
        raise InputError("variant", variant, rule, f"run the sweep first{more}")
    if objective.is_front:
        points = [record for search in searches for record in (search.points.values() or search.front)]
        said = [
            f"{variant}/{one.slot.label} ({', '.join(number(one.metrics[name]) for name in objective.metrics)})"
            for one in points[:_MOST_POINTS]
        ]
        many = sum(len(search.front) for search in searches)
        rule = f"a front has no best: none of its {many} trials is better than another in {_both(objective.metrics)}"
        raise InputError("variant", variant, rule, f"choose one, such as {', '.join(said)}")
    return min(found, key=lambda entry: entry[:2])[2]


def _labelled(searches: Sequence[Search], which: str, label: str) -> Record:
    trials = {record.slot.label: record for search in searches for record in search.trials}
    if (record := trials.get(label)) is None or record.state != "accepted":
        there = [name for name, one in trials.items() if one.state == "accepted"]
        shown = f"{there[0]} to {there[-1]}" if len(there) > 1 else "".join(there) or "none yet"
        raise InputError("variant", which, f"no finished trial is called {label}", f"there are: {shown}")
    return record


def _both(metrics: Sequence[str]) -> str:
    return " and ".join((", ".join(metrics[:-1]), metrics[-1]))
