"""What differs between two sweeps in what they were asked, and in what they ran with, key by key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from spadam.report.provenance import leaves
from spadam.sweep.definition.extension import facts
from spadam.sweep.definition.relative_axes import key_of
from spadam.sweep.definition.spec import Variant
from spadam.sweep.outcome.outcome import Outcome
from spadam.text import NOTHING

EVERY = "every variant"
"""In place of a name, where all variants that both sweeps have differ alike."""


class Change(NamedTuple):
    """A key whose values differ."""

    where: str
    """The variant that has it, or :data:`EVERY`; empty where it is the sweep's, or the trainings'."""
    key: str
    first: str
    """What the first sweep has there; a dash where it has no such key."""
    second: str

    def as_json(self) -> dict[str, str]:
        """Plain values."""
        return self._asdict()


def asked(first: Outcome, second: Outcome) -> list[Change]:
    """What differs in their specifications, with all defaults spelled out; what is of variants of one alone is not."""
    found, by_change = [], dict[tuple[str, str, str], list[str]]()
    mine, theirs = (facts(one.sweep) for one in (first, second))
    pairs = ((first, mine), (second, theirs))
    shared = [name for name in mine["variants"] if name in theirs["variants"]]
    for name in shared:
        values = [_variant(one.sweep.variants[name], each["variants"][name]) for one, each in pairs]
        for key, one, other in _unequal(*values):
            by_change.setdefault((key, one, other), []).append(name)
    for (key, one, other), names in by_change.items():
        where = EVERY if names == shared and len(shared) > 1 else ", ".join(names)
        found.append(Change(where, key.removeprefix("config."), one, other))
    general = [dict(_flat({k: v for k, v in each.items() if k != "variants"})) for each in (mine, theirs)]
    return [*(Change("", *each) for each in _unequal(*general)), *found]


def _variant(variant: Variant, found: Mapping[str, Any]) -> dict[str, str]:
    """Everything of a variant that decides on its results, by key.

    Among facts a key is missing where it has the value that all had before there was the key: that is spelled out too.
    """
    searched = dict.fromkeys((key_of(axis.name) for axis in variant.axes), "searched")
    spelled = dict(_flat({"config": variant.corners[0].plain()}))
    return spelled | dict(_flat(found)) | {f"config.{key}": value for key, value in searched.items()}


def ran_with(first: Outcome, second: Outcome) -> list[Change]:
    """What differs in versions, commit, machine and data of their trainings; of several values each is told."""
    mine, theirs = (_values(one) for one in (first, second))
    keys = dict.fromkeys((*mine, *theirs))
    pairs = [(key, *(", ".join(each.get(key, [])) or NOTHING for each in (mine, theirs))) for key in keys]
    return [Change("", key, one, other) for key, one, other in pairs if one != other]


def _values(outcome: Outcome) -> dict[str, list[str]]:
    found: dict[str, dict[str, None]] = {}
    for result in outcome.results:
        for key, value in leaves(result.provenance):
            found.setdefault(key, {})[value] = None
    return {key: sorted(values) for key, values in sorted(found.items())}


def _unequal(first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Every key that has another value."""
    for key in dict.fromkeys((*first, *second)):
        one, other = first.get(key, NOTHING), second.get(key, NOTHING)
        if one != other:
            yield key, one, other


def _flat(found: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in found.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{key}.")
        else:
            yield above + key, "null" if value is None else str(value)
