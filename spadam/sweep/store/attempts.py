"""What a storage holds of a sweep, as plain values: attempts, and the slots that they belong to.

Whoever reads a storage gives these: :mod:`spadam.sweep.store.tables` without Optuna, and
:mod:`spadam.sweep.store.studies` through it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from spadam.diagnostics.former_names import renamed
from spadam.diagnostics.warned import Warned, read_warning
from spadam.sweep.search.objective import Told
from spadam.sweep.search.slots import Phase, Slot
from spadam.training.result import RunResult, Status, restore

if TYPE_CHECKING:
    from spadam.sweep.definition.space import Value
    from spadam.sweep.definition.spec import Variant

State = Literal["waiting", "running", "complete", "pruned", "fail"]
"""Where an attempt stands, in Optuna's words."""


GIVEN_UP = "given_up"
"""The attribute of an attempt that says why no other one followed it."""


class Attempt(NamedTuple):
    """A trial of a study, as it was when it was read."""

    id: int
    """Names it in its storage."""
    number: int
    """From 0 within its study, in the order in which they were made."""
    state: State
    started: bool
    """Whether it was ever begun; in sweeps that were begun with a queue some wait."""
    value: Told | None
    """What the study was told of it."""
    params: Mapping[str, Value]
    """What it was assigned."""
    fixed_params: Mapping[str, Value]
    """What it was to be given, in a sweep that was begun with a queue."""
    attributes: Mapping[str, Any]
    """Its slot; and, as far as it came, its scale, result, and failure."""


class Record(NamedTuple):
    """A slot and its attempts, by number."""

    slot: Slot
    attempts: tuple[Attempt, ...] = ()

    @property
    def owner(self) -> Attempt | None:
        """The attempt that counts: the lowest-numbered one that has not failed."""
        return next((attempt for attempt in self.attempts if attempt.state != "fail"), None)

    @property
    def state(self) -> Literal["planned", "waiting", "running", "accepted", "failed"]:
        """Where the slot stands: `planned` before its first attempt, `waiting` for another, `failed` when given up."""
        if not self.attempts:
            return "planned"
        owner = self.owner
        if owner is None:
            return "waiting" if self.given_up is None else "failed"
        return owner.state if owner.state == "waiting" or owner.state == "running" else "accepted"

    @property
    def given_up(self) -> str | None:
        """Why its agent attempted nothing more when the last attempt had failed."""
        if not self.attempts or self.attempts[-1].state != "fail":
            return None
        return self.attempts[-1].attributes.get(GIVEN_UP)

    @property
    def result(self) -> RunResult | None:
        """What its accepted attempt gave."""
        owner = self.owner
        return None if owner is None or self.state != "accepted" else kept(owner)

    @property
    def glance(self) -> Mapping[str, Any] | None:
        """What its accepted attempt gave, as it is stored: then only what is asked for is read."""
        owner = self.owner
        return None if owner is None or self.state != "accepted" else owner.attributes["result"]

    @property
    def status(self) -> Status | None:
        """How its accepted attempt ended."""
        return None if (glance := self.glance) is None else glance["status"]

    @property
    def metrics(self) -> Mapping[str, float | None]:
        """The metrics of its accepted attempt; none before."""
        return {} if (glance := self.glance) is None else renamed(glance["metrics"])

    @property
    def warnings(self) -> list[Warned]:
        """What its accepted attempt warned of."""
        return [] if (glance := self.glance) is None else [read_warning(stored) for stored in glance["warnings"]]

    @property
    def objective(self) -> Told | None:
        """What the study was told of its accepted attempt; see :func:`spadam.sweep.search.objective.objective_of`."""
        owner = self.owner
        return owner.value if owner is not None and self.state == "accepted" else None

    @property
    def gradient_rms(self) -> float | None:
        """The scale that its parameters are relative to, if they are."""
        owner = self.owner
        return None if owner is None else owner.attributes.get("gradient_rms")

    @property
    def started(self) -> tuple[Attempt, ...]:
        """The attempts that were begun."""
        return tuple(attempt for attempt in self.attempts if attempt.started)

    def params(self, variant: Variant) -> dict[str, Value] | None:
        """The parameters that the slot was given, once and for all; None before."""
        attempt = self.owner or (self.attempts[-1] if self.attempts else None)
        if attempt is None:
            return None
        given = {**attempt.fixed_params, **attempt.params}
        # Less than all: it was killed while they were written.
        covered = all(axis.name in given for axis in variant.axes)
        return {axis.name: given[axis.name] for axis in variant.axes} if covered else None


def kept(attempt: Attempt) -> RunResult | None:
    """The result that stands in an attempt, told or not yet; None where there is none."""
    return restore(attempt.attributes["result"]) if "result" in attempt.attributes else None


class Stored(Protocol):
    """One sweep in a storage, for those who only read."""

    def attributes(self) -> dict[str, Any]:
        """What the sweep was created from; empty before that."""
        ...

    def records(self, variant: str, studies: int) -> dict[str, Record]:
        """All slots of ``variant`` that have attempts, by slot id, in the order in which they were made."""
        ...


class Reader(Protocol):
    """A whole storage, for those who only read."""

    def sweeps(self) -> list[str]:
        """The names of all sweeps that it holds."""
        ...

    def sweep(self, name: str) -> Stored:
        """The sweep of this name; it need not be there."""
        ...


def study_names(sweep: str, variant: str, studies: int) -> list[str]:
    """The studies that hold the attempts of ``variant``: those of its searches, then one of each phase after them."""
    searches = (f"search-{number}" for number in range(studies))
    return [f"{sweep}/{variant}/{name}" for name in (*searches, "choose", "repeat")]


def gather(variant: str, attempts: Iterable[Attempt]) -> dict[str, Record]:
    """The records of ``variant`` by slot id; ``attempts`` come study by study, each by number."""
    by_slot: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_slot.setdefault(attempt.attributes["slot"], []).append(attempt)
    return {id_: Record(_slot_of(variant, mine[0]), tuple(mine)) for id_, mine in by_slot.items()}


def _slot_of(variant: str, attempt: Attempt) -> Slot:
    attributes = attempt.attributes
    point = attributes.get("point", "")
    phase: Phase = "search" if not point else "choose" if attributes["slot"].startswith("choose-") else "repeat"
    return Slot(variant, phase, attributes["study"], attributes["number"], attributes["seed"], point)
