"""The dispatcher: claims slots, hands them to the crew, and tells the studies what came of them."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from spadam.config import RunConfig
from spadam.faults import reach
from spadam.sweep.definition.relative_axes import PLACEHOLDER, scale_key
from spadam.sweep.definition.space import Value
from spadam.sweep.definition.spec import Sweep, Variant
from spadam.sweep.outcome.progress import survey
from spadam.sweep.running.bulletin import Bulletin
from spadam.sweep.running.crew import Crew, Ending
from spadam.sweep.running.failures import Failures, WorkFailed, given_up
from spadam.sweep.running.means import RETRIES
from spadam.sweep.running.picture import Next, Picture
from spadam.sweep.running.recovery import running, settle_abandoned
from spadam.sweep.running.task import Task
from spadam.sweep.running.track import Track
from spadam.sweep.running.watcher import Watcher
from spadam.sweep.running.worker_process import Trouble
from spadam.sweep.search.objective import judge, objective_of, spoken, without_objective
from spadam.sweep.search.pruning import prune
from spadam.sweep.search.slots import Slot
from spadam.sweep.store.attempts import GIVEN_UP, Attempt, Record, State
from spadam.sweep.store.patience import Patience
from spadam.sweep.store.studies import Studies
from spadam.sweep.store.trouble import StorageTrouble, SweepTaken
from spadam.training.curve import Pruning
from spadam.training.gradient_scale import gradient_rms
from spadam.training.interruption import Interruption
from spadam.training.progress import Progress
from spadam.training.result import RunResult

_NAP_SECONDS = 0.2


class Claim(NamedTuple):
    """An attempt that is under way."""

    record: Record
    """Its slot, with all attempts at it; the last is this one."""
    task: Task

    @property
    def attempt(self) -> Attempt:
        """The one that is under way."""
        return self.record.attempts[-1]


class Upkeep(NamedTuple):
    """What an agent minds while others train."""

    interruption: Interruption
    patience: Patience
    """With the server of its storage."""
    beat: Callable[[], None]
    """Called at least every second or so: a sign of life."""
    retries: int = RETRIES
    """So many attempts more does a slot get within this run when workers die, or disks fail."""


class Dispatcher:
    """Has the slots of ``variants`` trained until all are accepted.

    ``settle`` gives a configuration what was decided once for the whole sweep: where it is trained, and who watches.
    Only one agent may work on ``folder``; it must hold its lock.
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
        upkeep: Upkeep,
    ) -> None:
        self.interruption, self._upkeep = upkeep.interruption, upkeep
        upkeep.patience.meanwhile = self._wait
        self.sweep, self.studies, self.folder, self.crew, self.watcher = sweep, studies, folder, crew, watcher
        self._settle, self._judge = settle, judge(sweep.spec.objective)
        self._claims: dict[Slot, Claim] = {}
        self._ended: deque[Ending] = deque()
        """Of claims that have ended, and that nobody has looked at yet."""
        self._failures = Failures(upkeep.retries)
        self._bulletin = Bulletin(studies, crew)
        self._stop: Exception | None = None
        """Why nothing new is begun."""
        self._spared: Exception | None = None
        """Why a slot was given up, while others could go on."""
        self._begun: set[Slot] = set()
        self._scales: dict[str, float] = dict(studies.attributes().get("gradient_rms", {}))
        searches = survey(sweep, studies)
        if abandoned := running(searches):
            settle_abandoned(sweep, studies, abandoned, "its agent died")
            searches = survey(sweep, studies)
        self.picture = Picture(sweep, searches, variants)

    def work(self) -> None:
        """Have every slot trained that is not accepted yet.

        Raises :class:`WorkFailed` when a training fails again and again, :class:`InputError` when one finds its input
        wrong, both after the trainings that are under way, and KeyboardInterrupt and what the storage refuses at once;
        what runs is given up before.
        """
        try:
            for track in self.picture.tracks.values():
                self._drop_unneeded(track)
            self._work_off()
            self._bulletin.publish(at_once=True)
        except BaseException as error:
            self.interruption.wind_down()
            self._upkeep.patience.hurry()
            self.crew.close()
            if not isinstance(error, SweepTaken):
                with contextlib.suppress(StorageTrouble):  # who begins the next time settles it
                    settle_abandoned(self.sweep, self.studies, self.studies.running(self._begun), "interrupted")
            raise
        self.crew.close()
        if self._stop is not None:
            raise self._stop

    def _work_off(self) -> None:
        while True:
            self.watcher.update(self.picture.tallies)
            while self._stop is None and len(self._claims) < self.crew.size and (found := self.picture.next()):
                claim = self._claim(found)
                self._claims[claim.task.slot] = claim
                self.crew.begin(claim.task)
                reach("agent: handed over")
                self._bulletin.begin(claim.task.slot, claim.task.attempt)
                self.watcher.begin(claim.task.slot, self.crew.where(claim.task.slot))
                self.watcher.update(self.picture.tallies)
            left = self.picture.left
            if not self._claims and (self._stop is not None or self.crew.size or not left):
                self._stop = self._stop or self._spared
                assert self._stop or not left, f"nothing can begin, and {left} slots are not accepted"
                return
            self._listen()
            while self._ended:
                task, outcome = self._ended.popleft()
                reach("agent: result heard")
                claim = self._claims.pop(task.slot)
                self._bulletin.end(task.slot)
                if isinstance(outcome, Trouble):
                    self._fail(claim, outcome)
                else:
                    self._accept(claim, outcome)

    def _listen(self) -> None:
        """Hear of trainings until one has ended, or more or fewer of them can be under way."""
        size = self.crew.size
        self.interruption.check()
        self._bulletin.publish()
        while not self._ended and self.crew.size == size:
            self._hear()
            self._bulletin.publish()
        if self.crew.size != size:
            self.watcher.resize(self.crew.size)

    def _hear(self) -> None:
        """Hear of trainings for a second at most."""
        self._ended += self.crew.listen(self._moved, self.watcher.note)
        self._upkeep.beat()
        if not self._ended:  # what has ended is kept first
            self.interruption.check()

    def _moved(self, slot: Slot, progress: Progress) -> None:
        self._bulletin.move(slot, progress)
        self.watcher.move(slot, progress)

    def _wait(self, seconds: float) -> None:
        """Let time pass while the storage is away: trainings go on, and what ends is looked at later."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if len(self._claims) > len(self._ended):
                self._hear()
            else:
                time.sleep(min(left, _NAP_SECONDS))
                self._upkeep.beat()
                self.interruption.check()

    def _claim(self, found: Next) -> Claim:
        """Begin an attempt at the slot that was ``found``."""
        track, record = found
        variant, slot, spec = track.variant, record.slot, self.sweep.spec
        params = record.params(variant)  # a retry keeps what it was first given
        if params is None:
            params = track.params_of(slot.point) if slot.point else track.propose(slot)
        scale = self._scale(variant, params)
        space = {axis.name: axis.distribution() for axis in variant.axes}
        self._begun.add(slot)
        waiting = record.owner
        if waiting is None:
            attempt = self.studies.begin(slot, params, space, scale)
        else:  # of a sweep that was begun with a queue
            claimed = self.studies.claim(waiting)
            assert claimed, "somebody else works on the sweep"
            self.studies.assign(waiting, params, space, scale)
            attempt = waiting._replace(state="running", started=True, params=params)
        begun = self.picture.begin(found, attempt)
        pruning = prune(spec.search, spec.objective, slot, track.seen)
        return Claim(begun, self._task(begun, variant.config(params, slot.seed, scale), pruning))

    def _scale(self, variant: Variant, params: dict[str, Value]) -> float | None:
        """The scale that the variant's eps is relative to, if it is; measured once for all that share it."""
        if not variant.needs_scale:
            return None
        config = variant.config(params, self.sweep.seed, PLACEHOLDER)
        if (key := scale_key(config)) not in self._scales:
            self._scales[key] = gradient_rms(config)
            self.studies.describe({"gradient_rms": dict(self._scales)})
        return self._scales[key]

    def _task(self, record: Record, config: RunConfig, pruning: Pruning | None) -> Task:
        attempt = len(record.attempts) - 1  # the others have failed, and their folders stay
        earlier, out = self._folders(record.slot, attempt)
        objective = self.sweep.spec.objective
        return Task(self.sweep.name, record.slot, attempt, self._settle(config), out, objective, pruning, earlier)

    def _folders(self, slot: Slot, attempt: int) -> tuple[tuple[Path, ...], Path]:
        """The folders of the attempts before, and that of this one."""
        *earlier, out = (self.folder / slot.folder / f"attempt-{number}" for number in range(attempt + 1))
        return tuple(earlier), out

    def _accept(self, claim: Claim, result: RunResult) -> None:
        objective = self.sweep.spec.objective
        told, pruned = objective_of(result, objective), result.status == "pruned"
        self._failures.succeeded()
        self.studies.keep(claim.attempt, result)
        reach("agent: result kept")
        self.studies.tell(claim.attempt, told, pruned=pruned)
        reach("agent: told")
        attributes = {**claim.attempt.attributes, "result": result._asdict()}
        state: State = "pruned" if pruned else "complete"
        accepted = _ended(claim.record, claim.attempt._replace(state=state, value=told, attributes=attributes))
        self.picture.accept(accepted, result)
        if accepted.slot.phase != "repeat":
            self._drop_unneeded(self.picture.tracks[accepted.slot.variant, accepted.slot.study])
        self.watcher.end(claim.task.slot, *spoken(self._judge, result))
        if result.status == "complete" and self._judge.costs(result.metrics) is None:
            self._doubt_objective(claim.task.slot)

    def _doubt_objective(self, slot: Slot) -> None:
        """Stop where no complete trial of a variant has had an objective: no other would have one."""
        found = self.picture.without_objective(slot.variant)
        if found:
            objective, variant = self.sweep.spec.objective, self.sweep.variants[slot.variant]
            self._give_up(WorkFailed(without_objective(slot.variant, variant, objective, found)))

    def _drop_unneeded(self, track: Track) -> None:
        """Give up what waits for nothing, in a sweep that was begun with a queue."""
        for attempt in track.take_unneeded():
            self.studies.fail(attempt, "superseded")

    def _fail(self, claim: Claim, trouble: Trouble) -> None:
        """Give the attempt up, and the whole work when another attempt would not fare better."""
        known = {"error": trouble.said, "traceback": trouble.traceback, "signature": trouble.signature}
        if (reason := self._failures.why_no_more(claim.record, trouble)) is not None:
            known[GIVEN_UP] = reason
        self.studies.fail(claim.attempt, trouble.failure, **known)
        attributes = {**claim.attempt.attributes, **known, "failure": trouble.failure}
        failed = _ended(claim.record, claim.attempt._replace(state="fail", attributes=attributes))
        self.picture.fail(failed)
        slot = claim.task.slot
        self.watcher.end(slot, "failed", None)
        self.watcher.note(f"{slot.variant} {slot.label} failed ({trouble.failure}): {trouble.said}")
        if reason is None:
            return
        why = given_up(slot, trouble, reason)
        if trouble.failure != "infra" or self._failures.all_fail:
            self._give_up(why)
        else:
            self._spared = self._spared or why
            self.watcher.note(f"{slot.variant} {slot.label} is given up, since {reason}; the others go on")

    def _give_up(self, why: Exception) -> None:
        self._stop = self._stop or why
        if self._claims:
            self.watcher.note(f"nothing new is begun; {len(self._claims)} under way will be finished")


def _ended(record: Record, attempt: Attempt) -> Record:
    """``record`` with its last attempt as it has ended."""
    return record._replace(attempts=(*record.attempts[:-1], attempt))
