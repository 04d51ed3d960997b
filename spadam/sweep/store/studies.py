"""A sweep in Optuna's storage: studies, slots as waiting trials, attempts, results.

The storage is the only state that agents share. A study named `<sweep>` has no trials but what the sweep was created
from; `<sweep>/<variant>/search-<s>` and `<sweep>/<variant>/repeat` have the attempts. A slot begins as a WAITING trial
with the user attribute `slot`; whoever turns it into RUNNING has claimed it. A failed attempt stays as FAIL, and
another one is enqueued. The lowest-numbered attempt that is not FAIL owns its slot, so duplicates do no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from spadam.sweep.definition.space import Value
from spadam.sweep.definition.spec import Variant
from spadam.sweep.search.slots import Phase, Slot
from spadam.training.result import RunResult, restore

Failure = Literal["infra", "bug", "input", "superseded"]
"""Why an attempt failed: killed or interrupted, or its disk gone; the same for us to mend; wrong input; not needed."""


class Record(NamedTuple):
    """A slot and its attempts, by number."""

    slot: Slot
    attempts: tuple[FrozenTrial, ...] = ()

    @property
    def owner(self) -> FrozenTrial | None:
        """The attempt that counts: the lowest-numbered one that has not failed."""
        return next((trial for trial in self.attempts if trial.state != TrialState.FAIL), None)

    @property
    def state(self) -> Literal["planned", "waiting", "running", "accepted", "failed"]:
        """Where the slot stands; `failed` when no attempt is left, `planned` when there was none."""
        if not self.attempts:
            return "planned"
        match self.owner:
            case None:
                return "failed"
            case FrozenTrial(state=TrialState.WAITING):
                return "waiting"
            case FrozenTrial(state=TrialState.RUNNING):
                return "running"
        return "accepted"

    @property
    def result(self) -> RunResult | None:
        """What its accepted attempt gave."""
        owner = self.owner
        return None if owner is None or self.state != "accepted" else kept(owner)

    @property
    def objective(self) -> float | None:
        """What the study was told of its accepted attempt; see :func:`spadam.sweep.search.objective.objective_of`."""
        owner = self.owner
        return owner.value if owner is not None and self.state == "accepted" else None

    @property
    def gradient_rms(self) -> float | None:
        """The scale that its parameters are relative to, if they are."""
        owner = self.owner
        return None if owner is None else owner.user_attrs.get("gradient_rms")

    @property
    def started(self) -> tuple[FrozenTrial, ...]:
        """The attempts that were begun."""
        return tuple(trial for trial in self.attempts if trial.datetime_start is not None)

    def params(self, variant: Variant) -> dict[str, Value] | None:
        """The parameters that the slot was given, once and for all; None before."""
        trial = self.owner or (self.attempts[-1] if self.attempts else None)
        if trial is None:
            return None
        given = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
        # Less than all: it was killed while they were written.
        return {axis.name: given[axis.name] for axis in variant.axes} if _covers(given, variant) else None


def kept(trial: FrozenTrial) -> RunResult | None:
    """The result that stands in an attempt, told or not yet; None where there is none."""
    return restore(trial.user_attrs["result"]) if "result" in trial.user_attrs else None


def _covers(given: Mapping[str, Value], variant: Variant) -> bool:
    return all(axis.name in given for axis in variant.axes)


class Studies:
    """The studies of one sweep. Every method is one or few transactions, and safe to call again after a kill."""

    def __init__(self, storage: BaseStorage, sweep: str, direction: str) -> None:
        self.storage, self.sweep = storage, sweep
        self._direction = StudyDirection.MINIMIZE if direction == "minimize" else StudyDirection.MAXIMIZE
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

    def records(self, variant: str, studies: int) -> dict[str, Record]:
        """All slots of ``variant`` that have attempts, by slot id, in the order in which they were enqueued."""
        attempts: dict[str, list[FrozenTrial]] = {}
        for name in (*(f"search-{number}" for number in range(studies)), "repeat"):
            study = self._find(f"{self.sweep}/{variant}/{name}")
            if study is not None:
                for trial in sorted(self.storage.get_all_trials(study, deepcopy=False), key=lambda t: t.number):
                    attempts.setdefault(trial.user_attrs["slot"], []).append(trial)
        return {id_: Record(_slot_of(variant, trials[0]), tuple(trials)) for id_, trials in attempts.items()}

    def enqueue(self, slot: Slot, params: Mapping[str, Value] | None) -> None:
        """Add an attempt at ``slot`` that waits to be claimed, with its parameters where they are known."""
        name = f"search-{slot.study}" if slot.phase == "search" else "repeat"
        study = self._find_or_create(f"{self.sweep}/{slot.variant}/{name}")
        attributes = {"slot": slot.id, "study": slot.study, "number": slot.number, "seed": slot.seed}
        if slot.point:
            attributes["point"] = slot.point
        trial = create_trial(
            state=TrialState.WAITING, user_attrs=attributes, system_attrs={"fixed_params": dict(params or {})}
        )
        self.storage.create_new_trial(study, template_trial=trial)

    def claim(self, trial: FrozenTrial) -> bool:
        """Take a waiting attempt; true for one caller only."""
        try:
            return self.storage.set_trial_state_values(trial._trial_id, state=TrialState.RUNNING)
        except optuna.exceptions.UpdateFinishedTrialError:
            return False

    def assign(
        self,
        trial: FrozenTrial,
        params: Mapping[str, Value],
        space: Mapping[str, BaseDistribution],
        gradient_rms: float | None = None,
    ) -> None:
        """Give a claimed attempt its parameters, and the scale that they are relative to, if they are."""
        if gradient_rms is not None:
            self.storage.set_trial_user_attr(trial._trial_id, "gradient_rms", gradient_rms)
        for name, distribution in space.items():
            if name not in trial.params:
                value = distribution.to_internal_repr(params[name])
                self.storage.set_trial_param(trial._trial_id, name, value, distribution)

    def keep(self, trial: FrozenTrial, result: RunResult) -> None:
        """Store what a claimed attempt gave; after this a kill loses nothing."""
        self.storage.set_trial_user_attr(trial._trial_id, "result", result._asdict())

    def tell(self, trial: FrozenTrial, value: float, *, pruned: bool = False) -> None:
        """Accept a claimed attempt whose result is kept."""
        state = TrialState.PRUNED if pruned else TrialState.COMPLETE
        self.storage.set_trial_state_values(trial._trial_id, state=state, values=[value])

    def fail(self, trial: FrozenTrial, failure: Failure, **attributes: str) -> None:
        """Give an attempt up, with the class of its failure and what else is known."""
        for key, value in {"failure": failure, **attributes}.items():
            self.storage.set_trial_user_attr(trial._trial_id, key, value)
        self.storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL)

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
            study = self._ids[name] = self.storage.create_new_study([self._direction], study_name=name)
        return study


def _slot_of(variant: str, trial: FrozenTrial) -> Slot:
    attributes = trial.user_attrs
    point = attributes.get("point", "")
    phase: Phase = "repeat" if point else "search"
    return Slot(variant, phase, attributes["study"], attributes["number"], attributes["seed"], point)
