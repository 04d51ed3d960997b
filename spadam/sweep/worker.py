"""The worker: claims slots one after another, trains them in this process, and tells the studies.

Whatever happens to it, the same command again goes on: attempts that a dead agent left running fail, and every slot
without a live or accepted attempt is enqueued again with the parameters that it had.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from optuna.trial import FrozenTrial, TrialState

from spadam.result import RunResult
from spadam.spec import InputError
from spadam.sweep.plan import enumerate_point
from spadam.sweep.propose import Told, is_ready, propose
from spadam.sweep.space import Value
from spadam.sweep.spec import Sweep, Variant
from spadam.sweep.standing import Search, survey, tally, value_of
from spadam.sweep.study import Record, Studies
from spadam.sweep.training import Task, Train, told
from spadam.sweep.view import View

MOST_ATTEMPTS = 3
"""A slot whose attempts fail in different ways, or for want of a disk, is tried so often before the agent stops."""


class WorkFailed(Exception):
    """The sweep cannot go on; the text says why and what to do."""


class Claim(NamedTuple):
    """A slot that this agent has taken."""

    record: Record
    trial: FrozenTrial
    task: Task


class Worker:
    """Works on the slots of ``variants`` until all are accepted.

    ``accelerator`` is where trainings whose configuration says `auto` run. Only one agent may work on ``folder``; it
    must hold its lock.
    """

    def __init__(
        self,
        sweep: Sweep,
        studies: Studies,
        folder: Path,
        accelerator: str,
        variants: Sequence[str],
        train: Train,
        view: View,
    ) -> None:
        self.sweep, self.studies, self.folder, self.view = sweep, studies, folder, view
        self._accelerator, self._variants, self._train = accelerator, variants, train

    def work(self) -> None:
        """Train every slot that is not accepted yet.

        Raises :class:`WorkFailed` when a training fails again and again, :class:`InputError` when one finds its input
        wrong, and KeyboardInterrupt; the slot in question is put back before.
        """
        self._recover("its agent died")
        try:
            self._work_off()
        except (KeyboardInterrupt, SystemExit):
            self._recover("interrupted")
            self._fill()
            raise KeyboardInterrupt from None

    def _work_off(self) -> None:
        while True:
            searches = self._fill()
            self.view.update(tally(self.sweep, searches))
            claim = self._claim(searches)
            if claim is None:
                left = [record for search in searches for record in search.trials if record.state != "accepted"]
                assert not left, f"nothing can begin, and {len(left)} slots are not accepted"
                return
            self._run(claim)

    def _recover(self, reason: str) -> None:
        """Settle what is running and has nobody any more: tell what was kept of it, fail the rest."""
        objective = self.sweep.spec.objective
        for search in survey(self.sweep, self.studies):
            for record in (*search.trials, *search.repeats, *search.superseded):
                for trial in record.attempts:
                    if trial.state == TrialState.RUNNING and "result" in trial.user_attrs:
                        self.studies.tell(trial, told(RunResult(**trial.user_attrs["result"]), objective))
                    elif trial.state == TrialState.RUNNING:
                        self.studies.fail(trial, "infra", error=reason)

    def _fill(self) -> list[Search]:
        """Enqueue an attempt for every slot that has none left, and drop waiting ones that nobody needs any more."""
        searches = survey(self.sweep, self.studies, self._variants)
        changed = False
        for search in searches:
            variant = self.sweep.variants[search.variant]
            for record in (*search.trials, *search.repeats):
                if record.state in ("planned", "failed"):
                    self.studies.enqueue(record.slot, self._known_params(variant, search, record))
                    changed = True
            for trial in _unneeded(search):
                self.studies.fail(trial, "superseded")
                changed = True
        return survey(self.sweep, self.studies, self._variants) if changed else searches

    def _known_params(self, variant: Variant, search: Search, record: Record) -> dict[str, Value] | None:
        if (params := record.params(variant)) is not None and record.attempts:
            return params  # a retry keeps what it was first given
        if record.slot.phase == "search":
            return enumerate_point(self.sweep.spec.search, variant, record.slot)
        assert search.best is not None
        return search.best.params(variant)

    def _claim(self, searches: Sequence[Search]) -> Claim | None:
        """Take the first slot that can begin: searches before repeats, and each variant in its turn."""
        order = {name: number for number, name in enumerate(self._variants)}
        waiting = [
            (search, record)
            for search in searches
            for record in (*search.trials, *search.repeats)
            if record.state == "waiting"
        ]

        def turn(pair: tuple[Search, Record]) -> tuple[bool, int, int, int]:
            slot = pair[1].slot
            return slot.phase == "repeat", slot.number, slot.study, order[slot.variant]

        for search, record in sorted(waiting, key=turn):
            variant, trial = self.sweep.variants[search.variant], record.owner
            assert trial is not None
            if not self._is_ready(variant, search, record) or not self.studies.claim(trial):
                continue
            params = record.params(variant)
            if params is None:
                history = _history(variant, search)
                direction = self.sweep.spec.objective.direction
                params = propose(self.sweep.spec.search, variant, record.slot, history, direction)
            self.studies.assign(trial, params, {axis.name: axis.distribution() for axis in variant.axes})
            return Claim(record, trial, self._task(variant, record, params))
        return None

    def _is_ready(self, variant: Variant, search: Search, record: Record) -> bool:
        if record.slot.phase == "repeat" or record.params(variant) is not None:
            return True
        return is_ready(self.sweep.spec.search, variant, record.slot, _history(variant, search))

    def _task(self, variant: Variant, record: Record, params: dict[str, Value]) -> Task:
        slot = record.slot
        config = variant.config(params, slot.seed)
        if config.trainer.accelerator == "auto":
            trainer = config.trainer.model_copy(update={"accelerator": self._accelerator})
            config = config.model_copy(update={"trainer": trainer})
        attempt = len(record.attempts) - 1  # the others have failed, and their folders stay
        out = self.folder / slot.folder / f"attempt-{attempt}"
        return Task(self.sweep.name, slot, attempt, config, out, self.sweep.spec.objective)

    def _run(self, claim: Claim) -> None:
        """Train what was claimed; tell its study the result, or put the slot back."""
        slot = claim.task.slot
        self.view.begin(slot)
        try:
            result = self._train(claim.task, lambda step: self.view.move(slot, step))
        except InputError as error:
            self.studies.fail(claim.trial, "input", error=str(error))
            raise
        except OSError as error:  # a disk is full or gone
            self._fail(claim, error, "infra")
        except Exception as error:
            self._fail(claim, error, "bug")
        else:
            self._accept(claim, result)

    def _accept(self, claim: Claim, result: RunResult) -> None:
        objective = self.sweep.spec.objective
        self.studies.keep(claim.trial, result._asdict())
        self.studies.tell(claim.trial, told(result, objective))
        accepted = claim.record._replace(attempts=(self.studies.storage.get_trial(claim.trial._trial_id),))
        self.view.end(claim.task.slot, result.status, value_of(accepted, objective.metric))

    def _fail(self, claim: Claim, error: Exception, failure: Literal["infra", "bug"]) -> None:
        """Give the attempt up; raise :class:`WorkFailed` when another one would not fare better."""
        text, signature = "".join(traceback.format_exception(error)), _signature(error)
        self.studies.fail(claim.trial, failure, traceback=text, signature=signature)
        slot, said = claim.task.slot, f"{type(error).__name__}: {error}"
        self.view.note(f"{slot.variant} {slot.label} failed ({failure}): {said}")
        earlier = [trial.user_attrs.get("signature") for trial in claim.record.attempts]
        if failure == "bug" and signature in earlier:
            reason = "the same error came twice"
        elif len([known for known in earlier if known]) + 1 >= MOST_ATTEMPTS:
            reason = f"{MOST_ATTEMPTS} attempts have failed"
        else:
            return
        raise WorkFailed(f"{text}\n{slot.variant} {slot.label}: {reason} ({said}). Mend it; the same command goes on.")


def _history(variant: Variant, search: Search) -> dict[int, Told]:
    """What the slots of a search were given, and told."""
    known = {record.slot.number: (record.params(variant), record.told) for record in search.trials}
    return {index: Told(params, value) for index, (params, value) in known.items() if params is not None}


def _unneeded(search: Search) -> list[FrozenTrial]:
    """Waiting attempts at slots that have another owner, or that repeat what is no longer the best."""
    current = [
        trial
        for record in (*search.trials, *search.repeats)
        for trial in record.attempts
        if trial is not record.owner and trial.state == TrialState.WAITING
    ]
    old = [trial for record in search.superseded for trial in record.attempts if trial.state == TrialState.WAITING]
    return current + old


def _signature(error: Exception) -> str:
    """What makes two errors the same: their kind and where they were raised, not the values in their text."""
    places = [(frame.filename, frame.lineno, frame.name) for frame in traceback.extract_tb(error.__traceback__)]
    return hashlib.sha256(repr((type(error).__name__, places)).encode()).hexdigest()[:16]
