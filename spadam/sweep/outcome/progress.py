"""How far a sweep is: every slot that it plans, with what was attempted, and the best of every search."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from spadam.spec import Document, InputError, earlier
from spadam.sweep.definition.reading import check
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.retraining import count_choosings, count_repeats, plan_choosings, plan_repeats
from spadam.sweep.search.choosing import Chosen, choose, measured
from spadam.sweep.search.front import Standing, front, spread
from spadam.sweep.search.objective import Costs, Judge, judge
from spadam.sweep.search.slots import digest, search_slots
from spadam.sweep.store.attempts import Attempt, Reader, Record, Stored


@dataclass(frozen=True)
class Search:
    """One study of a variant, with what its setting is chosen by, and the repeats of that."""

    variant: str
    study: int
    trials: tuple[Record, ...]
    """Its search slots, in order."""
    best: Record | None
    """The accepted trial that ranks first so far, see :mod:`spadam.sweep.search.objective`, of equal ones the first; or
    of the candidates the one that is chosen, see :mod:`spadam.sweep.search.choosing`. On a front it is the point in the
    middle of those that are repeated."""
    repeats: tuple[Record, ...]
    """The slots that repeat ``best``, or the ``points`` of a front; until it is known what is repeated, only those that
    are there already."""
    superseded: tuple[Record, ...]
    """Slots that train again what was among the best before the search was extended, to choose or to repeat it."""
    front: tuple[Record, ...] = ()
    """Where several metrics are compared: the trials that no other beats, by the first of them."""
    points: Mapping[str, Record] = field(default_factory=dict)
    """The trials of the front that are repeated, in its order, by the hashes of their parameters."""
    candidates: tuple[Record, ...] = ()
    """The trials that the setting is chosen among, the best first; where nothing is chosen, the best one."""
    choosings: tuple[Record, ...] = ()
    """The slots that it is chosen by; while the search goes on, only those that are there already."""
    chosen: Chosen | None = None
    """What ``best`` is chosen by, as far as its choosing trainings have come; None before they have begun."""

    @property
    def records(self) -> tuple[Record, ...]:
        """The slots of all phases."""
        return (*self.trials, *self.choosings, *self.repeats)

    @property
    def leader(self) -> Record | None:
        """The trial that ranks first in the search, whichever is chosen."""
        return self.candidates[0] if self.candidates else self.best

    def standing(self, ours: Judge) -> Costs | None:
        """What ``best`` is ranked by among those of other studies: the mean that it was chosen by, or itself."""
        if self.chosen is not None:
            return self.chosen.costs
        costs = None if self.best is None else ours.costs(self.best.metrics)
        return None if costs is None else (0.0, *costs)

    def repeats_of(self, record: Record) -> tuple[Record, ...]:
        """The slots that repeat ``record``, which is the best or on the front."""
        if not self.front:
            return self.repeats
        point = next((point for point, one in self.points.items() if one.slot == record.slot), None)
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


def start_of(record: Record, metric: str) -> float | None:
    """The value of ``metric`` that an accepted training had before its first step; None where it was not measured."""
    rows = [] if record.result is None else record.result.evaluations
    value = rows[0].get(metric) if rows and rows[0].get("step") == 0 else None
    return float(value) if value is not None and math.isfinite(value) else None


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
    mine = [record for record in records.values() if record.slot.study == study]
    choose_there, repeat_there = ([r for r in mine if r.slot.phase == phase] for phase in ("choose", "repeat"))
    ended = all(record.state == "accepted" for record in trials)
    if sweep.spec.objective.is_front:
        found = front_of(sweep, trials)
        picked = spread(found, sweep.spec.points)
        points = {digest(params): one for one in picked if (params := one.params(sweep.variants[variant])) is not None}
        repeats, superseded = plan_repeats(sweep, variant, study, points, repeat_there, ended=ended)
        best = picked[len(picked) // 2] if picked else None
        return Search(variant, study, trials, best, tuple(repeats), tuple(superseded), tuple(found), points)
    candidates = candidates_of(sweep, variant, trials)
    choosings, old = plan_choosings(sweep, variant, study, candidates, choose_there, ended=ended)
    chosen = _choose(sweep, candidates, choosings)
    first = next(iter(candidates), None) if chosen is None else chosen.point
    best = None if first is None else candidates[first]
    ended = ended and all(record.state == "accepted" for record in choosings)
    repeats, superseded = plan_repeats(sweep, variant, study, [first] if first else [], repeat_there, ended=ended)
    return Search(
        *(variant, study, trials, best, tuple(repeats), (*old, *superseded)),
        candidates=tuple(candidates.values()),
        choosings=tuple(choosings),
        chosen=chosen,
    )


def _choose(sweep: Sweep, candidates: Mapping[str, Record], choosings: Iterable[Record]) -> Chosen | None:
    ours, rows = judge(sweep.spec.objective), dict[str, list[Any]]()
    for record in choosings:
        if (result := record.result) is not None:
            rows.setdefault(record.slot.point, []).append(measured(ours, result))
    return choose(ours, {point: record.slot.number for point, record in candidates.items()}, rows)


def candidates_of(sweep: Sweep, variant: str, trials: Iterable[Record]) -> dict[str, Record]:
    """The trials that rank first and differ in their parameters, as many as are chosen among, by hashes of these."""
    found: dict[str, Record] = {}
    for record in _ranked(sweep, trials):
        if len(found) == sweep.spec.candidates:
            break
        if (params := record.params(sweep.variants[variant])) is not None:
            found.setdefault(digest(params), record)
    return found


def _ranked(sweep: Sweep, trials: Iterable[Record]) -> Iterator[Record]:
    """The trials that have the objective, the best first; of few of them a result is read."""
    ours = judge(sweep.spec.objective)
    told = [(ours.rank(value), record) for record in trials if (value := record.objective) is not None]
    for _, record in sorted(told, key=lambda pair: (pair[0], pair[1].slot.number)):
        if _counts(ours, record):
            yield record


def front_of(sweep: Sweep, trials: Iterable[Record]) -> list[Record]:
    """The front of ``trials``, by the first of the metrics that are compared."""
    ours, records = judge(sweep.spec.objective), {}
    standings = []
    for record in trials:
        if (told := record.objective) is not None:
            records[record.slot.number] = record
            standings.append(Standing(ours.rank(told), record.slot.number))
    return [records[one.number] for one in front(standings, lambda one: _counts(ours, records[one.number]))]


def _counts(ours: Judge, record: Record) -> bool:
    return record.status == "complete" and ours.costs(record.metrics) is not None


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
    """What the last trials and choosing trainings took, in seconds."""
    repeat_times: tuple[float, ...]
    """The same of repeats, whose probe is fitted anew, and which a test set is measured on."""
    front: int | None = None
    """So many trials its fronts have, where several metrics are compared."""
    choosings_left: int = 0


def tally(sweep: Sweep, searches: Iterable[Search]) -> list[Tally]:
    """Every variant of ``searches`` in numbers."""
    by_variant: dict[str, list[Search]] = {}
    for search in searches:
        by_variant.setdefault(search.variant, []).append(search)
    return [_tally(sweep, variant, mine) for variant, mine in by_variant.items()]


def expected_choosings(sweep: Sweep, search: Search) -> int:
    """How many choosing trainings a study gets."""
    there, candidates = len(search.choosings), len(search.candidates)
    return count_choosings(sweep, search.variant, search.complete, candidates, there)


def expected_repeats(sweep: Sweep, search: Search) -> int:
    """How many repeats a search gets."""
    found = len(search.points) if search.front else int(search.best is not None)
    return count_repeats(sweep, search.complete, found, len(search.repeats))


def is_failure(attempt: Attempt) -> bool:
    """Whether an attempt has failed that was wanted."""
    return attempt.attributes.get("failure") in ("infra", "bug", "input")


def _tally(sweep: Sweep, variant: str, searches: list[Search]) -> Tally:
    trials, choosings, repeats, old = (
        [record for search in searches for record in getattr(search, name)]
        for name in ("trials", "choosings", "repeats", "superseded")
    )
    states = [record.state for record in (*trials, *choosings, *repeats)]
    choosings_planned = sum(expected_choosings(sweep, search) for search in searches)
    repeats_planned = sum(expected_repeats(sweep, search) for search in searches)
    slots, accepted = len(trials) + choosings_planned + repeats_planned, states.count("accepted")
    running, failed = states.count("running"), states.count("failed")
    ended = [attempt for record in (*trials, *choosings, *repeats, *old) for attempt in record.attempts]
    ours, is_front = judge(sweep.spec.objective), sweep.spec.objective.is_front
    leaders = [search.leader for search in searches if search.leader is not None and not is_front]
    values = [found[0] for one in leaders if (found := ours.values(one.metrics))]
    return Tally(
        variant=variant,
        slots=slots,
        accepted=accepted,
        running=running,
        waiting=slots - accepted - running - failed,
        failed=failed,
        failures=sum(map(is_failure, ended)),
        best=ours.best(values),
        trials_left=len(trials) - _accepted(trials),
        choosings_left=choosings_planned - _accepted(choosings),
        repeats_left=repeats_planned - _accepted(repeats),
        trial_times=_recent_times((*trials, *choosings, *(record for record in old if record.slot.phase == "choose"))),
        repeat_times=_recent_times((*repeats, *(record for record in old if record.slot.phase == "repeat"))),
        front=sum(len(search.front) for search in searches) if is_front else None,
    )


def _accepted(records: Iterable[Record]) -> int:
    return sum(record.state == "accepted" for record in records)


RECENT = 7
"""So many last trainings tell how long the next will take."""


def _recent_times(records: Iterable[Record]) -> tuple[float, ...]:
    """The seconds of the trainings among ``records`` that began last."""
    attempts = sorted((one for record in records for one in record.attempts), key=lambda one: one.id, reverse=True)
    results = (attempt.attributes["result"] for attempt in attempts if "result" in attempt.attributes)
    known = (seconds for result in results if (seconds := result["provenance"].get("seconds")) is not None)
    return tuple(itertools.islice(known, RECENT))[::-1]
