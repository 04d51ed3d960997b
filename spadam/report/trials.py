"""The finished trials of the searches, as points in the space that was searched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spadam.report.axis import Scale
from spadam.report.section import evenly
from spadam.sweep.definition.relative_axes import key_of
from spadam.sweep.definition.spec import Variant
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.store.attempts import Record
from spadam.text import number

LR, EPS = "optimizer.lr", "optimizer.eps"


MOST_MARKS = 1_200
"""Trials that a figure draws, of all variants together: a page is to stay small."""
_FEWEST = 8
"""So many of a variant it draws whatever their number."""


class Trial(NamedTuple):
    """A finished search trial."""

    record: Record
    at: dict[str, float]
    """What it had at every key that its variant searches, where that is a number; relative axes are resolved."""
    value: float | None
    """The objective; None when it was not trained to its end, has no finite value, or lies outside the bands."""
    status: str
    """How it ended, or that it lies outside the bands."""
    said: str
    """All of it in words."""


def setting(record: Record, key: str) -> Any:
    """What a training had at ``key`` of its configuration; None where it has no result, or no such key."""
    value: Any = None if record.result is None else record.result.config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def searched(variant: Variant) -> list[str]:
    """The keys of numbers that ``variant`` searches: lr, eps, then logarithmic axes before linear ones."""
    axes = sorted((axis for axis in variant.axes if axis.range.choices is None), key=lambda axis: not axis.range.log)
    keys = [key_of(axis.name) for axis in axes]
    return sorted(keys, key=lambda key: (key != LR, key != EPS))


def has(variant: Variant, key: str) -> bool:
    """Whether the configuration of ``variant`` has such a ``key`` at all, searched or not."""
    *path, last = key.split(".")
    value: Any = variant.corners[0].plain()
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return isinstance(value, Mapping) and last in value


def without(outcome: Outcome, name: str, keys: Sequence[str]) -> str:
    """In words: a variant that a figure over ``keys`` leaves out, what it searches, and which of them it has not."""
    variant = outcome.sweep.variants[name]
    mine, none = searched(variant), [outcome.short(key) for key in keys if not has(variant, key)]
    said = f"searches {' and '.join(map(outcome.short, mine)) or 'no number'}"
    return f"{name} ({'; '.join([said, *(f'has no {key}' for key in none)])})"


def unseen(outcome: Outcome, shown: Mapping[str, Sequence[str]]) -> str:
    """In words: what variants search beside the keys that are ``shown`` of each: their trials differ in it too."""
    found = {
        outcome.short(axis.name)
        for name, keys in shown.items()
        for axis in outcome.sweep.variants[name].axes
        if key_of(axis.name) not in keys
    }
    return " and ".join(sorted(found))


def trials(outcome: Outcome, variant: str) -> list[Trial]:
    """The finished trials of all studies of ``variant``, in their order."""
    keys = searched(outcome.sweep.variants[variant])
    found = []
    for search in outcome.of_variant(variant):
        for record in search.trials:
            if record.result is None:
                continue
            given = {key: setting(record, key) for key in keys}
            at = {key: float(value) for key, value in given.items() if isinstance(value, int | float)}
            value, status = outcome.value(record), outcome.outside(record) or record.result.status
            came = f"{outcome.metric} {number(value)}" if status == "complete" else status
            place = ", ".join(f"{outcome.short(key)} {number(x, 3)}" for key, x in at.items())
            said = f"{outcome.name(search)} {record.slot.label}\n{place}\n{came}"
            found.append(Trial(record, at, value, status, said))
    return found


def scale_of(outcome: Outcome, key: str, values: Sequence[float]) -> Scale:
    """The axis of ``key`` that all variants share: as wide as the widest of their ranges, and as ``values``."""
    axes = [axis for v in outcome.sweep.variants.values() for axis in v.axes if key_of(axis.name) == key]
    # A relative axis has bounds in units of its own.
    ends = [end for axis in axes if axis.name == key for end in (axis.range.low, axis.range.high) if end is not None]
    return Scale.over([*ends, *values], log=any(axis.range.log for axis in axes), room=0.04)


def ranked(found: Sequence[Trial], minimize: bool) -> list[Trial]:
    """The trials that have a value, the best first, of equal ones the earlier."""
    finite = [trial for trial in found if trial.value is not None]
    return sorted(finite, key=lambda trial: (trial.value or 0.0) * (1 if minimize else -1))


def marked(found: Mapping[str, Sequence[Trial]], minimize: bool) -> tuple[dict[str, list[Trial]], str]:
    """The trials of each variant that a figure draws, and a sentence on it where these are not all.

    They are the best ones, as many as half of those that there is room for, and others evenly over the search.
    """
    room = max(_FEWEST, MOST_MARKS // max(1, len(found)))
    shown = {name: _marked(mine, room, minimize) for name, mine in found.items()}
    if all(len(shown[name]) == len(mine) for name, mine in found.items()):
        return shown, ""
    return shown, (
        f" Of the {sum(map(len, found.values()))} trials at most {room} of each variant are drawn: the best "
        f"{room // 2}, and others evenly over its search; trials.csv has all."
    )


def _marked(mine: Sequence[Trial], room: int, minimize: bool) -> list[Trial]:
    if len(mine) <= room:
        return list(mine)
    best = {id(trial) for trial in ranked(mine, minimize)[: room // 2]}
    others = {id(trial) for trial in evenly([t for t in mine if id(t) not in best], room - len(best))}
    return [trial for trial in mine if id(trial) in best | others]


def count_missing(found: Sequence[Trial]) -> str:
    """How many of ``found`` have no value, and why, in words; empty when all have one."""
    said = (trial.status.partition(":")[0] for trial in found if trial.value is None)
    counts = Counter("without a finite value" if status == "complete" else status for status in said)
    return ", ".join(f"{count} {why}" for why, count in counts.items())
