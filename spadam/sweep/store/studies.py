"""A sweep in Optuna's storage: studies, attempts, results.

A study named `<sweep>` has no trials but what the sweep was created from; `<sweep>/<variant>/search-<s>`,
`<sweep>/<variant>/choose` and `<sweep>/<variant>/repeat` have the attempts: a trial each, made when it begins, with its
slot as a user attribute. A failed attempt stays as FAIL, and another one is made. The lowest-numbered attempt that is
not FAIL owns its slot, so duplicates do no harm. Which slots there are says the plan; a sweep that was begun with a
queue has WAITING trials of slots that nobody has begun, and these are taken first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from spadam.faults import reach
from spadam.sweep.definition.space import Value
from spadam.sweep.search.objective import Directions, Told, listed, ways
from spadam.sweep.search.slots import Slot
from spadam.sweep.store.attempts import Attempt, Record, State, gather, study_names
from spadam.training.result import RunResult

Failure = Literal["infra", "bug", "input", "superseded"]
"""Why an attempt failed: killed or interrupted, or its disk gone; the same for us to mend; wrong input; not needed."""


def attempt_of(trial: FrozenTrial) -> Attempt:
    """A trial of Optuna's as plain values; of what it shares with Optuna, change nothing."""
    state: State = _STATES[trial.state]
    fixed = trial.system_attrs.get("fixed_params", {})
    started = trial.datetime_start is not None
    value = _as_told(trial.values)
    return Attempt(trial._trial_id, trial.number, state, started, value, trial.params, fixed, trial.user_attrs)


def _as_told(values: Sequence[float] | None) -> Told | None:
    return None if values is None else values[0] if len(values) == 1 else tuple(values)


_STATES: dict[TrialState, State] = {
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "fail",
}


class StorageReader:
    """A storage as Optuna reads it; see :class:`~spadam.sweep.store.attempts.Reader`."""

    def __init__(self, storage: BaseStorage) -> None:
        self.storage = storage

    def sweeps(self) -> list[str]:
        """The names of all sweeps that it holds."""
        return [study.study_name for study in self.storage.get_all_studies() if "/" not in study.study_name]

    def sweep(self, name: str) -> Studies:
        """The sweep of this name; it need not be there."""
        return Studies(self.storage, name, "minimize")  # which way matters to those only who make a study


class Studies:
    """The studies of one sweep. Every method is one or few transactions, and safe to call again after a kill."""

    def __init__(self, storage: BaseStorage, sweep: str, direction: Directions) -> None:
        self.storage, self.sweep = storage, sweep
        self._directions = [StudyDirection[one.upper()] for one in ways(direction)]
        self._ids: dict[str, int] = {}

    def attributes(self) -> dict[str, Any]:
        """What the sweep was created from; empty before that."""
        study = self._find(self.sweep)
        return {} if study is None else self.storage.get_study_user_attrs(study)

    def describe(self, attributes: Mapping[str, Any]) -> None:
        """Write down what the sweep is created from; what stands there already is not written again."""
        study = self._find_or_create(self.sweep)
        there = self.storage.get_study_user_attrs(study)
        for key, value in attributes.items():
            if key not in there or there[key] != value:
                self.storage.set_study_user_attr(study, key, value)
                reach("agent: mid-extension" if "plan" in there else "agent: sweep half created")

    def records(self, variant: str, studies: int) -> dict[str, Record]:
        """All slots of ``variant`` that have attempts, by slot id, in the order in which they were made."""
        names = study_names(self.sweep, variant, studies)
        return gather(variant, (attempt for name in names for attempt in self._attempts(name)))

    def begin(
        self,
        slot: Slot,
        params: Mapping[str, Value],
        space: Mapping[str, BaseDistribution],
        gradient_rms: float | None = None,
    ) -> Attempt:
        """Make an attempt at ``slot`` that runs, with its parameters and the scale that they are relative to, if any.

        All of it is there, or nothing.
        """
        attributes: dict[str, Any] = {"slot": slot.id, "study": slot.study, "number": slot.number, "seed": slot.seed}
        if slot.point:
            attributes["point"] = slot.point
        if gradient_rms is not None:
            attributes["gradient_rms"] = gradient_rms
        trial = create_trial(
            state=TrialState.RUNNING, params=dict(params), distributions=dict(space), user_attrs=attributes
        )
        study = self._find_or_create(self._study_of(slot))
        id_ = self.storage.create_new_trial(study, template_trial=trial)
        reach("agent: attempt created")
        return Attempt(id_, -1, "running", True, None, dict(params), {}, attributes)

    def claim(self, attempt: Attempt) -> bool:
        """Take an attempt that waits, of a sweep that was begun with a queue; true for one caller only."""
        try:
            return self.storage.set_trial_state_values(attempt.id, state=TrialState.RUNNING)
        except optuna.exceptions.UpdateFinishedTrialError:
            return False

    def assign(
        self,
        attempt: Attempt,
        params: Mapping[str, Value],
        space: Mapping[str, BaseDistribution],
        gradient_rms: float | None = None,
    ) -> None:
        """Give a claimed attempt its parameters, and the scale that they are relative to, if they are."""
        if gradient_rms is not None:
            self.storage.set_trial_user_attr(attempt.id, "gradient_rms", gradient_rms)
        for name, distribution in space.items():
            if name not in attempt.params:
                value = distribution.to_internal_repr(params[name])
                self.storage.set_trial_param(attempt.id, name, value, distribution)
                reach("agent: parameters half written")

    def keep(self, attempt: Attempt, result: RunResult) -> None:
        """Store what a claimed attempt gave; after this a kill loses nothing."""
        self.storage.set_trial_user_attr(attempt.id, "result", result._asdict())

    def tell(self, attempt: Attempt, value: Told, *, pruned: bool = False) -> None:
        """Accept a claimed attempt whose result is kept."""
        state = TrialState.PRUNED if pruned else TrialState.COMPLETE
        self.storage.set_trial_state_values(attempt.id, state=state, values=listed(value))

    def fail(self, attempt: Attempt, failure: Failure, **attributes: str) -> None:
        """Give an attempt up, with the class of its failure and what else is known."""
        for key, value in {"failure": failure, **attributes}.items():
            self.storage.set_trial_user_attr(attempt.id, key, value)
        self.storage.set_trial_state_values(attempt.id, state=TrialState.FAIL)

    def running(self, slots: Iterable[Slot]) -> list[Attempt]:
        """The attempts that run in the studies of ``slots``."""
        found = [self._find(name) for name in dict.fromkeys(map(self._study_of, slots))]
        states = (TrialState.RUNNING,)
        trials = [self.storage.get_all_trials(id_, states=states) for id_ in found if id_ is not None]
        return [attempt_of(trial) for mine in trials for trial in mine]

    def _study_of(self, slot: Slot) -> str:
        return f"{self.sweep}/{slot.variant}/" + (f"search-{slot.study}" if slot.phase == "search" else slot.phase)

    def _attempts(self, name: str) -> list[Attempt]:
        """The attempts in a study, by number; none where there is no such study."""
        study = self._find(name)
        trials = [] if study is None else self.storage.get_all_trials(study, deepcopy=False)
        return [attempt_of(trial) for trial in sorted(trials, key=lambda trial: trial.number)]

    def _find(self, name: str) -> int | None:
        if name not in self._ids:
            try:
                self._ids[name] = self.storage.get_study_id_from_name(name)
            except KeyError:
                return None
        return self._ids[name]

    def _find_or_create(self, name: str) -> int:
        study = self._find(name)
        if study is None:
            study = self._ids[name] = self.storage.create_new_study(self._directions, study_name=name)
        return study
