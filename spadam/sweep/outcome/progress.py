"""How far a sweep is: every slot that it plans, with what was attempted, and the best of every search."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from spadam.spec import Document, InputError, earlier
from spadam.sweep.definition.reading import check
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.search.slots import Slot, digest, repeat_seeds, search_slots
from spadam.sweep.store.attempts import Attempt, Reader, Record, Stored


@dataclass(frozen=True)
class Search:
    """One study of a variant, with the repeats of its best."""

    variant: str
    study: int
    trials: tuple[Record, ...]
    """Its search slots, in order."""
    best: Record | None
    """The accepted trial with the best finite value so far; of equal ones the first."""
    repeats: tuple[Record, ...]
    """The slots that repeat ``best``; while the search goes on, only those that are there already."""
    superseded: tuple[Record, ...]
    """Slots that repeat what was the best before the search was extended."""

    @property
    def complete(self) -> bool:
        """Whether every search slot is accepted."""
        return all(record.state == "accepted" for record in self.trials)

    @property
    def judged(self) -> list[Record]:
        """The trainings that speak for it: its repeats that are complete, or its best trial while it has none."""
        repeats = [record for record in self.repeats if record.status == "complete"]
        return repeats or ([self.best] if self.best is not None else [])


def value_of(record: Record, metric: str) -> float | None:
    """The value of ``metric`` that a slot's accepted and complete attempt has; None where it has none."""
    value = record.metrics.get(metric) if record.status == "complete" else None
    return None if value is None or not math.isfinite(value) else float(value)


def recall(reader: Reader, name: str, stored: Stored | None = None) -> tuple[Sweep, list[Search], dict[str, Any]]:
    """The sweep called ``name`` as its storage alone knows it, how far it is, and what it was created from.

    ``stored`` is that sweep as it is to be seen, by default as it is in ``reader``. Raises :class:`InputError` when
    there is no such sweep.
    """
    stored = stored or reader.sweep(name)
    there = stored.attributes()
    if "plan" not in there:
        known = reader.sweeps()
        remedy = f"choose from: {', '.join(known)}" if known else "run a sweep first"
        raise InputError("--sweep", name, "the storage must hold a sweep of this name", remedy)
    spec = earlier.complete_sweep(there["spec"], there["plan"]["facts"])
    sweep = check(Document(spec, {}, f"sweep {name}"))
    return sweep, survey(sweep, stored), there


def survey(sweep: Sweep, stored: Stored | None, variants: Iterable[str] | None = None) -> list[Search]:
    """Every study of every variant (or of ``variants``), in the order of the file."""
    searches = []
    for variant in sweep.variants if variants is None else variants:
        records = {} if stored is None else stored.records(variant, sweep.spec.search.studies)
        for study in range(sweep.spec.search.studies):
            searches.append(_search(sweep, variant, study, records))
    return searches


def _search(sweep: Sweep, variant: str, study: int, records: dict[str, Record]) -> Search:
    trials = tuple(records.get(slot.id, Record(slot)) for slot in search_slots(sweep, variant, study))
    stored = [r for r in records.values() if r.slot.phase == "repeat" and r.slot.study == study]
    best = _best(sweep, trials)
    params = None if best is None else best.params(sweep.variants[variant])
    point = None if params is None else digest(params)
    if all(record.state == "accepted" for record in trials):
        repeats, superseded = plan_repeats(sweep, variant, study, point, stored)
    else:
        repeats, superseded = _of_point(stored, point)
    return Search(variant, study, trials, best, tuple(repeats), tuple(superseded))


def plan_repeats(
    sweep: Sweep, variant: str, study: int, point: str | None, stored: Sequence[Record]
) -> tuple[list[Record], list[Record]]:
    """The repeats of a search that has ended, those that are ``stored`` first, and stored ones of other points."""
    repeats, superseded = _of_point(stored, point)
    if point is not None:
        there = {record.slot.seed for record in repeats}
        missing = [seed for seed in repeat_seeds(sweep, study) if seed not in there]
        first = len(stored)
        repeats += [Record(Slot(variant, "repeat", study, first + n, seed, point)) for n, seed in enumerate(missing)]
    return repeats, superseded


def _of_point(stored: Iterable[Record], point: str | None) -> tuple[list[Record], list[Record]]:
    stored = list(stored)
    return [r for r in stored if r.slot.point == point], [r for r in stored if r.slot.point != point]


def _best(sweep: Sweep, trials: Iterable[Record]) -> Record | None:
    metric, sign = sweep.spec.objective.metric, 1 if sweep.spec.objective.direction == "minimize" else -1
    # What was told of a complete trial is its value: so few results are read until one of them is complete.
    told = [(sign * value, record.slot.number, record) for record in trials if (value := record.objective) is not None]
    ranked = (record for _, _, record in sorted(told, key=lambda entry: entry[:2]))
    return next((record for record in ranked if value_of(record, metric) is not None), None)


class Tally(NamedTuple):
    """A variant in numbers; every slot that it plans is in one of the four states."""

    variant: str
    slots: int
    accepted: int
    running: int
    waiting: int
    failed: int
    """Slots that have failed attempts only."""
    failures: int
    """Attempts that failed, those at superseded slots too."""
    best: float | None
    """The best value that a search has found."""
    trials_left: int
    """Search trials that are not accepted."""
    repeats_left: int
    trial_times: tuple[float, ...]
    """What the last trials took, in seconds."""
    repeat_times: tuple[float, ...]
    """The same of repeats, whose probe is fitted anew, and which a test set is measured on."""


def tally(sweep: Sweep, searches: Iterable[Search]) -> list[Tally]:
    """Every variant of ``searches`` in numbers."""
    by_variant: dict[str, list[Search]] = {}
    for search in searches:
        by_variant.setdefault(search.variant, []).append(search)
    return [_tally(sweep, variant, mine) for variant, mine in by_variant.items()]


def expected_repeats(sweep: Sweep, search: Search) -> int:
    """How many repeats the best of a search gets."""
    return planned_repeats(sweep, search.complete, search.best is not None, len(search.repeats))


def planned_repeats(sweep: Sweep, complete: bool, found: bool, there: int) -> int:
    """How many repeats a search gets of which ``there`` are there: none when it has ended and ``found`` nothing."""
    return 0 if complete and not found else max(there, sweep.spec.repeat.seeds)


def is_failure(attempt: Attempt) -> bool:
    """Whether an attempt has failed that was wanted."""
    return attempt.attributes.get("failure") in ("infra", "bug", "input")


def _tally(sweep: Sweep, variant: str, searches: list[Search]) -> Tally:
    trials = [record for search in searches for record in search.trials]
    repeats = [record for search in searches for record in search.repeats]
    old = [record for search in searches for record in search.superseded]
    states = [record.state for record in (*trials, *repeats)]
    planned = sum(expected_repeats(sweep, search) for search in searches)
    slots, accepted = len(trials) + planned, states.count("accepted")
    running, failed = states.count("running"), states.count("failed")
    ended = [attempt for record in (*trials, *repeats, *old) for attempt in record.attempts]
    metric, direction = sweep.spec.objective.metric, sweep.spec.objective.direction
    values = [value for s in searches if s.best and (value := value_of(s.best, metric)) is not None]
    trials_left = sum(record.state != "accepted" for record in trials)
    return Tally(
        variant=variant,
        slots=slots,
        accepted=accepted,
        running=running,
        waiting=slots - accepted - running - failed,
        failed=failed,
        failures=sum(map(is_failure, ended)),
        best=(min if direction == "minimize" else max)(values, default=None),
        trials_left=trials_left,
        repeats_left=slots - accepted - trials_left,
        trial_times=_recent_times(trials),
        repeat_times=_recent_times((*repeats, *(record for record in old if record.slot.phase == "repeat"))),
    )


RECENT = 7
"""So many last trainings tell how long the next will take."""


def _recent_times(records: Iterable[Record]) -> tuple[float, ...]:
    """The seconds of the trainings among ``records`` that began last."""
    attempts = sorted((one for record in records for one in record.attempts), key=lambda one: one.id, reverse=True)
    results = (attempt.attributes["result"] for attempt in attempts if "result" in attempt.attributes)
    known = (seconds for result in results if (seconds := result["provenance"].get("seconds")) is not None)
    return tuple(itertools.islice(known, RECENT))[::-1]
