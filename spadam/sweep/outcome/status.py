"""How far a sweep is: its slots in numbers, what runs and where, what failed and why, how long the rest will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from spadam.files import Holder
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.left import seconds_left, total
from spadam.sweep.outcome.progress import Search, tally
from spadam.sweep.outcome.under_way import Training, read_under_way
from spadam.sweep.store.attempts import Record

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_COUNTS = ("slots", "accepted", "running", "waiting", "failed")


def status(
    sweep: Sweep, searches: Sequence[Search], attributes: Mapping[str, Any] = _NOTHING, agent: Holder | None = None
) -> dict[str, Any]:
    """How far the sweep is, which has ``attributes`` in its storage.

    `variants` has the slots of each, every one in one of four states.
    `agent` is who works on it, {`host`, `pid`, `since`}, or null. `running` lists what its agent told last of trainings
    that run, and `failures` the slots whose last attempt failed, each with its `reason` and whether it was
    `given_up`. `seconds_left` is null where it is not known, and while nobody works.
    """
    tallies = tally(sweep, searches)
    records = [record for search in searches for record in search.records]
    told = read_under_way(attributes)
    by_slot = {(one.variant, one.slot): one for one in told.trainings}
    running = {r.slot: by_slot.get((r.slot.variant, r.slot.id)) for r in records if r.state == "running"}
    shares = {slot: one.share for slot, one in running.items() if one is not None and one.share is not None}
    left = total(seconds_left(tallies, told.workers if agent else 0, shares))
    return {
        "sweep": sweep.name,
        "done": all(mine.accepted == mine.slots for mine in tallies),
        "agent": None if agent is None else agent._asdict(),
        "variants": {mine.variant: {name: getattr(mine, name) for name in _COUNTS} for mine in tallies},
        "running": [_running(one) for one in running.values() if one is not None],
        "failures": [found for record in records if (found := _failure(record)) is not None],
        "seconds_left": left,
    }


def _running(training: Training) -> dict[str, Any]:
    return {**training._asdict(), "share": training.share}


def _failure(record: Record) -> dict[str, Any] | None:
    """What is known of the last attempt of a slot, where that has failed and no other one has begun."""
    if record.state not in ("failed", "waiting") or not record.started:
        return None
    last = record.attempts[-1].attributes
    if record.attempts[-1].state != "fail" or last.get("failure") in (None, "superseded"):
        return None
    return {
        "variant": record.slot.variant,
        "slot": record.slot.id,
        "label": record.slot.label,
        "attempts": len(record.started),
        "failure": last["failure"],
        "reason": last.get("error", ""),
        "given_up": record.given_up,
    }
