"""The dispatcher: claims slots, hands them to the crew, and tells the studies what came of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from spadam.config import RunConfig
from spadam.sweep.definition.relative_axes import PLACEHOLDER, scale_key
from spadam.sweep.definition.space import Value
from spadam.sweep.definition.spec import Sweep, Variant
from spadam.sweep.outcome.progress import Search, survey, tally, value_of
from spadam.sweep.running.crew import Crew
from spadam.sweep.running.recovery import fill, settle_abandoned
from spadam.sweep.running.task import Task
from spadam.sweep.running.watcher import Watcher
from spadam.sweep.running.worker_process import Trouble
from spadam.sweep.search.objective import objective_of, without_objective
from spadam.sweep.search.propose import Seen, is_ready, propose
from spadam.sweep.search.pruning import prune
from spadam.sweep.search.slots import Slot, turn
from spadam.sweep.store.attempts import Attempt, Record
from spadam.sweep.store.studies import Studies
from spadam.training.curve import Pruning, curve
from spadam.training.gradient_scale import gradient_rms
from spadam.training.interruption import Interruption
from spadam.training.result import RunResult

MOST_ATTEMPTS = 3
"""A slot whose attempts fail in different ways, or for want of a disk, is tried so often before the agent stops."""


class WorkFailed(Exception):
    """The sweep cannot go on; the text says why and what to do."""


class Claim(NamedTuple):
    """A slot that this agent has taken."""

    record: Record
    attempt: Attempt
    task: Task


class Dispatcher:
    """Has the slots of ``variants`` trained until all are accepted.

    ``settle`` gives a configuration what was decided once for the whole sweep: where it is trained, and who watches.
    Only one agent may work on ``folder``; it must hold its lock. ``beat`` is called at least every second or so while
    others train: a sign of life.
    """

    def __init__(
        self,
        sweep: Sweep,
        studies: Studies,
        folder: Path,
        variants: Sequence[str],
        settle: Callable[[RunConfig], RunConfig],
        crew: Crew,
        watcher: Watcher,
        interruption: Interruption,
        beat: Callable[[], None],
    ) -> None:
        self.interruption, self._beat = interruption, beat
        self.sweep, self.studies, self.folder, self.crew, self.watcher = sweep, studies, folder, crew, watcher
        self._variants, self._settle = variants, settle
        self._claims: dict[Slot, Claim] = {}
        self._stop: Exception | None = None

    def work(self) -> None:
        """Have every slot trained that is not accepted yet.

        Raises :class:`WorkFailed` when a training fails again and again, :class:`InputError` when one finds its input
        wrong, both after the trainings that are under way, and KeyboardInterrupt and what the storage refuses at once;
        slots are put back before.
        """
        settle_abandoned(self.sweep, self.studies, "its agent died")
        try:
            self._work_off()
        except BaseException:
            self.interruption.wind_down()
            self.crew.close()
            settle_abandoned(self.sweep, self.studies, "interrupted")
            fill(self.sweep, self.studies, self._variants)
            raise
        self.crew.close()
        if self._stop is not None:
            raise self._stop

    def _work_off(self) -> None:
        while True:
            look = fill if self._stop is None else survey
            searches = look(self.sweep, self.studies, self._variants)
            self.watcher.update(tally(self.sweep, searches))
            while self._stop is None and len(self._claims) < self.crew.size and (claim := self._claim(searches)):
                self._claims[claim.task.slot] = claim
                self.crew.begin(claim.task)
                self.watcher.begin(claim.task.slot)
                searches = survey(self.sweep, self.studies, self._variants)
            if not self._claims:
                left = [record for search in searches for record in search.trials if record.state != "accepted"]
                assert self._stop or not left, f"nothing can begin, and {len(left)} slots are not accepted"
                return
            self.interruption.check()
            while not (endings := self.crew.listen(self.watcher.move, self.watcher.note)):
                self._beat()
                self.interruption.check()
            for task, outcome in endings:
                claim = self._claims.pop(task.slot)
                if isinstance(outcome, Trouble):
                    self._fail(claim, outcome)
                else:
                    self._accept(claim, outcome)

    def _claim(self, searches: Sequence[Search]) -> Claim | None:
        """Take the first slot that can begin."""
        order = {name: number for number, name in enumerate(self._variants)}
        waiting = [
            (search, record)
            for search in searches
            for record in (*search.trials, *search.repeats)
            if record.state == "waiting"
        ]

        def place(pair: tuple[Search, Record]) -> tuple[bool, int, int, int]:
            slot = pair[1].slot
            return turn(slot.phase, slot.number, slot.study, order[slot.variant])

        spec, histories = self.sweep.spec, {id(search): self._history(search) for search in searches}
        for search, record in sorted(waiting, key=place):
            variant, attempt, history = self.sweep.variants[search.variant], record.owner, histories[id(search)]
            assert attempt is not None
            # A repeat waits for nothing, and what could begin once still can.
            free = record.slot.phase == "repeat" or record.started
            if not (free or is_ready(spec.search, variant, record.slot, history)) or not self.studies.claim(attempt):
                continue
            params = record.params(variant)
            if params is None:
                params = propose(spec.search, variant, record.slot, history, spec.objective.direction)
            scale = self._scale(variant, params)
            self.studies.assign(attempt, params, {axis.name: axis.distribution() for axis in variant.axes}, scale)
            pruning = prune(spec.search, spec.objective, record.slot, history)
            return Claim(record, attempt, self._task(record, variant.config(params, record.slot.seed, scale), pruning))
        return None

    def _history(self, search: Search) -> dict[int, Seen]:
        """What the slots of a search were given, and what came of them."""
        variant, found = self.sweep.variants[search.variant], {}
        for record in search.trials:
            params, result = record.params(variant), record.result
            if params is not None and result is not None:
                values = curve(result.evaluations, self.sweep.spec.objective.metric)
                found[record.slot.number] = Seen(params, record.objective, result.status, values)
            elif params is not None:
                found[record.slot.number] = Seen(params)
        return found

    def _scale(self, variant: Variant, params: dict[str, Value]) -> float | None:
        """The scale that the variant's eps is relative to, if it is; measured once for all that share it."""
        if not variant.needs_scale:
            return None
        config = variant.config(params, self.sweep.seed, PLACEHOLDER)
        key, known = scale_key(config), self.studies.attributes().get("gradient_rms", {})
        if key not in known:
            known = {**known, key: gradient_rms(config)}
            self.studies.describe({"gradient_rms": known})
        return float(known[key])

    def _task(self, record: Record, config: RunConfig, pruning: Pruning | None) -> Task:
        attempt = len(record.attempts) - 1  # the others have failed, and their folders stay
        out = self.folder / record.slot.folder / f"attempt-{attempt}"
        objective = self.sweep.spec.objective
        return Task(self.sweep.name, record.slot, attempt, self._settle(config), out, objective, pruning)

    def _accept(self, claim: Claim, result: RunResult) -> None:
        objective = self.sweep.spec.objective
        self.studies.keep(claim.attempt, result)
        self.studies.tell(claim.attempt, objective_of(result, objective), pruned=result.status == "pruned")
        accepted = claim.record._replace(attempts=(self.studies.look(claim.attempt),))
        self.watcher.end(claim.task.slot, result.status, value_of(accepted, objective.metric))
        if result.status == "complete" and value_of(accepted, objective.metric) is None:
            self._doubt_objective(claim.task.slot)

    def _doubt_objective(self, slot: Slot) -> None:
        """Stop where no complete trial of a variant has had an objective: no other would have one."""
        metric = self.sweep.spec.objective.metric
        searches = survey(self.sweep, self.studies, [slot.variant])
        trials = [record for search in searches for record in search.trials]
        whole = [record for record in trials if record.result and record.result.status == "complete"]
        if all(value_of(record, metric) is None for record in whole):
            variant = self.sweep.variants[slot.variant]
            self._give_up(WorkFailed(without_objective(slot.variant, variant, metric, len(whole))))

    def _fail(self, claim: Claim, trouble: Trouble) -> None:
        """Give the attempt up, and the whole work when another attempt would not fare better."""
        known = {"error": trouble.said, "traceback": trouble.traceback, "signature": trouble.signature}
        self.studies.fail(claim.attempt, trouble.failure, **known)
        slot = claim.task.slot
        self.watcher.end(slot, "failed", None)
        self.watcher.note(f"{slot.variant} {slot.label} failed ({trouble.failure}): {trouble.said}")
        earlier = [attempt.attributes.get("signature") for attempt in claim.record.attempts]
        if trouble.error is not None:
            stop: Exception = trouble.error
        elif trouble.failure == "bug" and trouble.signature in earlier:
            stop = _given_up(slot, trouble, "the same error came twice")
        elif len([signature for signature in earlier if signature]) + 1 >= MOST_ATTEMPTS:
            stop = _given_up(slot, trouble, f"{MOST_ATTEMPTS} attempts have failed")
        else:
            return
        self._give_up(stop)

    def _give_up(self, why: Exception) -> None:
        self._stop = self._stop or why
        if self._claims:
            self.watcher.note(f"nothing new is begun; {len(self._claims)} under way will be finished")


def _given_up(slot: Slot, trouble: Trouble, reason: str) -> WorkFailed:
    said = f"{slot.variant} {slot.label}: {reason} ({trouble.said}). Mend it; the same command goes on."
    return WorkFailed(said if trouble.failure == "infra" else f"{trouble.traceback}\n{said}")
