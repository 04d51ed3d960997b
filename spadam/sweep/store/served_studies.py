"""The studies of a sweep at a server, which may be away for a while, and may have done what it did not say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from typing_extensions import override

from spadam.files import Holder
from spadam.sweep.definition.space import Value
from spadam.sweep.search.objective import Directions, Told
from spadam.sweep.search.slots import Slot
from spadam.sweep.store.attempts import Attempt, Record
from spadam.sweep.store.patience import Patience
from spadam.sweep.store.server_lock import ServerLock
from spadam.sweep.store.studies import Failure, Studies
from spadam.sweep.store.trouble import SweepTaken
from spadam.training.result import RunResult

T = TypeVar("T")

AGENT = "agent"
"""The attribute that says who worked on the sweep last."""


class ServedStudies(Studies):
    """As :class:`Studies`, with ``patience``, and with a look at ``lock`` before anything is written.

    Who had the lock, lost it, and has it again goes on only if nobody else has worked on the sweep meanwhile. All
    methods raise :class:`~spadam.sweep.store.trouble.StorageTrouble`.
    """

    def __init__(
        self, storage: BaseStorage, sweep: str, direction: Directions, patience: Patience, lock: ServerLock
    ) -> None:
        super().__init__(storage, sweep, direction)
        self._patience, self._lock = patience, lock

    def sign_in(self) -> None:
        """Write down who works on the sweep from now on."""
        self._patience(partial(super().describe, {AGENT: self._lock.me._asdict()}))

    @override
    def attributes(self) -> dict[str, Any]:
        return self._patience(super().attributes)

    @override
    def records(self, variant: str, studies: int) -> dict[str, Record]:
        return self._patience(partial(super().records, variant, studies))

    @override
    def running(self, slots: Iterable[Slot]) -> list[Attempt]:
        return self._patience(partial(super().running, list(slots)))

    @override
    def describe(self, attributes: Mapping[str, Any]) -> None:
        self._write(partial(super().describe, attributes))

    @override
    def begin(
        self,
        slot: Slot,
        params: Mapping[str, Value],
        space: Mapping[str, BaseDistribution],
        gradient_rms: float | None = None,
    ) -> Attempt:
        there = partial(super().running, [slot])
        make = partial(super().begin, slot, params, space, gradient_rms)

        def again() -> Attempt:
            """What runs at the slot is what was made, for nothing else does."""
            return next((one for one in there() if one.attributes["slot"] == slot.id), None) or make()

        return self._write(make, again)

    @override
    def claim(self, attempt: Attempt) -> bool:
        # Who has the lock is the only one to take it: what the server may have done before was done for us.
        return self._write(partial(super().claim, attempt), lambda: True)

    @override
    def assign(
        self,
        attempt: Attempt,
        params: Mapping[str, Value],
        space: Mapping[str, BaseDistribution],
        gradient_rms: float | None = None,
    ) -> None:
        self._write(partial(super().assign, attempt, params, space, gradient_rms))

    @override
    def keep(self, attempt: Attempt, result: RunResult) -> None:
        self._write(partial(super().keep, attempt, result))

    @override
    def tell(self, attempt: Attempt, value: Told, *, pruned: bool = False) -> None:
        tell = partial(super().tell, attempt, value, pruned=pruned)
        self._write(tell, partial(_unless_done, tell))

    @override
    def fail(self, attempt: Attempt, failure: Failure, **attributes: str) -> None:
        fail = partial(super().fail, attempt, failure, **attributes)
        self._write(fail, partial(_unless_done, fail))

    def _write(self, act: Callable[[], T], again: Callable[[], T] | None = None) -> T:
        """Do ``act`` while the lock is ours; ``again`` is what is done where the server may have done it already."""
        tried = False

        def guarded() -> T:
            nonlocal tried
            if self._lock.check():
                self._check_alone()
            first, tried = not tried, True
            return act() if first or again is None else again()

        return self._patience(guarded)

    def _check_alone(self) -> None:
        if (by := super().attributes().get(AGENT)) != self._lock.me._asdict():
            who = "" if by is None else f" ({Holder(**by).described})"
            raise SweepTaken(
                f"another agent has worked on {self.sweep} while the storage was away{who}; the same command goes on"
            )


def _unless_done(act: Callable[[], None]) -> None:
    """Do ``act``, unless the server did it and could not say so."""
    try:
        act()
    except UpdateFinishedTrialError:
        return
