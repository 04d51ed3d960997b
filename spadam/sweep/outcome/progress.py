"""How far a sweep is: every slot that it plans, with what was attempted, and the best of every search."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from spadam.spec import Document, InputError, earlier
from spadam.sweep.definition.reading import check
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.search.front import Standing, front, spread
from spadam.sweep.search.objective import judge
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
    """The accepted trial that ranks first so far, see :mod:`spadam.sweep.search.objective`; of equal ones the first. On
    a front it is the point in the middle of those that are repeated."""
    repeats: tuple[Record, ...]
    """The slots that repeat ``best``, or the points that are ``chosen``; while the search goes on, only those that are
    there already."""
    superseded: tuple[Record, ...]
    """Slots that repeat what was the best before the search was extended."""
    front: tuple[Record, ...] = ()
    """Where several metrics are compared: the trials that no other beats, by the first of them."""
    chosen: Mapping[str, Record] = field(default_factory=dict)
    """The trials of the front that are repeated, in its order, by the hashes of their parameters."""

    def repeats_of(self, record: Record) -> tuple[Record, ...]:
        """The slots that repeat ``record``, which is the best or on the front."""
        if not self.front:
            return self.repeats
        point = next((point for point, one in self.chosen.items() if one.slot == record.slot), None)
        return tuple(repeat for repeat in self.repeats if repeat.slot.point == point)

    @property
    def complete(self) -> bool:
        """Whether every search slot is accepted."""
        return all(record.state == "accepted" for record in self.trials)

    @property
    def judged(self) -> list[Record]:
        """The trainings that speak for its best: the repeats of it that are complete, or itself while it has none."""
        if self.best is None:
            return []
        return [record for record in self.repeats_of(self.best) if record.status == "complete"] or [self.best]


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
    found = best_of(sweep, trials)
    is_front = sweep.spec.objective.is_front
    picked = spread(found, sweep.spec.points) if is_front else found
    chosen = {digest(params): one for one in picked if (params := one.params(sweep.variants[variant])) is not None}
    if all(record.state == "accepted" for record in trials):
        repeats, superseded = plan_repeats(sweep, variant, study, list(chosen), stored)
    else:
        repeats, superseded = _of_points(stored, chosen)
    best = picked[len(picked) // 2] if picked else None
    front = (tuple(found), chosen) if is_front else ()
    return Search(variant, study, trials, best, tuple(repeats), tuple(superseded), *front)


def plan_repeats(
    sweep: Sweep, variant: str, study: int, points: Collection[str], stored: Sequence[Record]
) -> tuple[list[Record], list[Record]]:
    """The repeats of a search that has ended, those that are ``stored`` first, and stored ones of other points.

    All ``points`` have a seed before one has the next.
    """
    repeats, superseded = _of_points(stored, points)
    there = {(record.slot.point, record.slot.seed) for record in repeats}
    wanted = [(point, seed) for seed in repeat_seeds(sweep, study) for point in points]
    missing = [pair for pair in wanted if pair not in there]
    for number, (point, seed) in enumerate(missing, start=len(stored)):
        repeats.append(Record(Slot(variant, "repeat", study, number, seed, point)))
    return repeats, superseded


def _of_points(stored: Iterable[Record], points: Collection[str]) -> tuple[list[Record], list[Record]]:
    stored = list(stored)
    return [r for r in stored if r.slot.point in points], [r for r in stored if r.slot.point not in points]


def best_of(sweep: Sweep, trials: Iterable[Record]) -> list[Record]:
    """The trial that ranks first, if any has the objective; of several metrics their front, by the first of them."""
    ours, records = judge(sweep.spec.objective), {}
    standings = []
    for record in trials:
        if (told := record.objective) is not None:
            records[record.slot.number] = record
            standings.append(Standing(ours.rank(told), record.slot.number))

    def counts(one: Standing) -> bool:  # asked of few, for it reads a result
        record = records[one.number]
        return record.status == "complete" and ours.costs(record.metrics) is not None

    return [records[one.number] for one in front(standings, counts)]


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
    """The best value that a search has found, within the bands if there are some; None of a front."""
    trials_left: int
    """Search trials that are not accepted."""
    repeats_left: int
    trial_times: tuple[float, ...]
    """What the last trials took, in seconds."""
    repeat_times: tuple[float, ...]
    """The same of repeats, whose probe is fitted anew, and which a test set is measured on."""
    front: int | None = None
    """So many trials its fronts have, where several metrics are compared."""


def tally(sweep: Sweep, searches: Iterable[Search]) -> list[Tally]:
    """Every variant of ``searches`` in numbers."""
    by_variant: dict[str, list[Search]] = {}
    for search in searches:
        by_variant.setdefault(search.variant, []).append(search)
    return [_tally(sweep, variant, mine) for variant, mine in by_variant.items()]


def expected_repeats(sweep: Sweep, search: Search) -> int:
    """How many repeats a search gets."""
    found = len(search.chosen) if search.front else int(search.best is not None)
    return planned_repeats(sweep, search.complete, found, len(search.repeats))


def planned_repeats(sweep: Sweep, complete: bool, found: int, there: int) -> int:
    """How many repeats a search gets of which ``there`` are there; until it has ended, as many as they may become.

    So many settings it has ``found`` that are repeated.
    """
    if complete and not found:
        return 0
    return max(there, found * sweep.spec.repeat.seeds if complete else sweep.spec.repeats)


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
    ours, is_front = judge(sweep.spec.objective), sweep.spec.objective.is_front
    values = [found[0] for s in searches if s.best and not is_front and (found := ours.values(s.best.metrics))]
    trials_left = sum(record.state != "accepted" for record in trials)
    return Tally(
        variant=variant,
        slots=slots,
        accepted=accepted,
        running=running,
        waiting=slots - accepted - running - failed,
        failed=failed,
        failures=sum(map(is_failure, ended)),
        best=ours.best(values),
        trials_left=trials_left,
        repeats_left=slots - accepted - trials_left,
        trial_times=_recent_times(trials),
        repeat_times=_recent_times((*repeats, *(record for record in old if record.slot.phase == "repeat"))),
        front=sum(len(search.front) for search in searches) if is_front else None,
    )


RECENT = 7
"""So many last trainings tell how long the next will take."""


def _recent_times(records: Iterable[Record]) -> tuple[float, ...]:
    """The seconds of the trainings among ``records`` that began last."""
    attempts = sorted((one for record in records for one in record.attempts), key=lambda one: one.id, reverse=True)
    results = (attempt.attributes["result"] for attempt in attempts if "result" in attempt.attributes)
    known = (seconds for result in results if (seconds := result["provenance"].get("seconds")) is not None)
    return tuple(itertools.islice(known, RECENT))[::-1]
