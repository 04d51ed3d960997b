"""What came of a sweep, as rows, numbers, a CSV file, and the best configuration of a variant."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spadam.config import RunConfig
from spadam.files import write_atomic
from spadam.spec import InputError
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search, expected_repeats, value_of
from spadam.sweep.search.slots import Phase, repeat_seeds, turn
from spadam.sweep.store.attempts import Record

CSV = "trials.csv"
"""The file of all trainings, in the folder of a sweep and beside every page."""

_COLUMNS = ("variant", "phase", "study", "slot", "seed", "status", "attempts", "value")


def rows(sweep: Sweep, searches: Sequence[Search]) -> list[dict[str, Any]]:
    """One row a slot, with what its accepted attempt gave.

    `status` is complete, pruned, diverged, waiting, running or failed; a finished slot that repeats what is no longer
    the best is superseded. `value` is the objective of a complete training, else null; `attempts` counts those that
    were begun.
    """
    return [row for search in searches for row in _rows(sweep, search)]


def _rows(sweep: Sweep, search: Search) -> list[dict[str, Any]]:
    found = [_row(sweep, record) for record in (*search.trials, *search.repeats)]
    found += [{**_row(sweep, record), "status": "superseded"} for record in search.superseded if record.started]
    index = max((r.slot.number + 1 for r in (*search.repeats, *search.superseded)), default=0)
    seeds = {record.slot.seed for record in search.repeats}
    if expected_repeats(sweep, search):
        for seed in repeat_seeds(sweep, search.study):
            if seed not in seeds:  # its parameters are not known before the search has ended
                found.append(_fields(search.variant, index, "repeat", search.study, seed, "waiting"))
                index += 1
    return sorted(found, key=lambda row: turn(row["phase"], row["slot"], row["study"], 0))


def _row(sweep: Sweep, record: Record) -> dict[str, Any]:
    slot = record.slot
    state = "waiting" if record.state == "planned" else record.state
    row = _fields(slot.variant, slot.number, slot.phase, slot.study, slot.seed, record.status or state)
    row["params"] = record.params(sweep.variants[slot.variant]) or {}
    row["value"] = value_of(record, sweep.spec.objective.metric)
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


def columns_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The columns of a table of ``rows``: what names a training, its state, every parameter and every metric."""
    params = list(dict.fromkeys(name for row in rows for name in row["params"]))
    return [*_COLUMNS, *params, *sorted({name for row in rows for name in row["metrics"]})]


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write ``rows`` to ``path``: a line a slot, a column each for what names it, every parameter and every metric.

    Nothing is written when the file says the same already.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns_of(rows), restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, **row["params"], **row["metrics"]} for row in rows)
    content = text.getvalue().encode()
    if not path.exists() or path.read_bytes() != content:
        write_atomic(path, content)


def best_config(sweep: Sweep, searches: Sequence[Search], variant: str) -> RunConfig:
    """The configuration of the best search trial of ``variant``.

    Of several studies it is the one with the best value. Raises :class:`InputError` when there is none.
    """
    if variant not in sweep.variants:
        known = ", ".join(sweep.variants)
        raise InputError("variant", variant, "the sweep has no such variant", f"choose one of: {known}")
    metric, sign = sweep.spec.objective.metric, 1 if sweep.spec.objective.direction == "minimize" else -1
    found = [
        (sign * value, number, search.best)
        for number, search in enumerate(searches)
        if search.variant == variant and search.best and (value := value_of(search.best, metric)) is not None
    ]
    if not found:
        rule = f"no trial of it has a finite {metric} yet"
        raise InputError("variant", variant, rule, "run the sweep first, or widen its ranges")
    best = min(found, key=lambda entry: entry[:2])[2]
    params = best.params(sweep.variants[variant])
    assert params is not None
    return sweep.variants[variant].config(params, best.slot.seed, best.gradient_rms)
