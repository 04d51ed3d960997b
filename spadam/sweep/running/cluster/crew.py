"""The crew on Ray: a worker for every share of every node, as long as the node is there."""

from __future__ import annotations

import math
import os
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import ray

from spadam.spec import InputError
from spadam.sweep.running.cluster.checkpoints import pack_legacy, put_home
from spadam.sweep.running.cluster.connection import Connection, environment
from spadam.sweep.running.cluster.gate import Gate
from spadam.sweep.running.cluster.member import Lost, Member, kind_of_worker
from spadam.sweep.running.cluster.parcel import ForeignParcel, Parcel, unpack
from spadam.sweep.running.cluster.resources import Share
from spadam.sweep.running.cluster.roll import Node, Roll
from spadam.sweep.running.cluster.samples import Shelf
from spadam.sweep.running.cluster.worker import Done, Order, Saved
from spadam.sweep.running.crew import Ending, place_name
from spadam.sweep.running.failures import WorkFailed
from spadam.sweep.running.means import STALL_SECONDS, Cluster
from spadam.sweep.running.task import Task, Train
from spadam.sweep.running.worker_process import Trouble
from spadam.sweep.search.slots import Slot
from spadam.tracking import Credentials
from spadam.training.inheritance import forget, inherit
from spadam.training.progress import Progress

_LISTEN_SECONDS = 1.0

_LEAVE_SECONDS = 2.0
"""So long may Ray take to hear that nobody is needed any more."""

_SILENCE_SECONDS = 15.0
"""A cluster that says nothing for so long has lost its head."""

_BEGIN_ANEW_SECONDS = 180.0
"""A worker that is not ready by then is begun anew: a cluster can lose the order to begin one."""

_MOST_FAILURES = 3
"""So many workers in a row may fail to begin on a node."""

_WAIT_SECONDS = 60.0
"""For so long may nobody be there to train before that is told: on a busy machine a worker takes its time to import."""


class RayCrew:
    """As many workers as the cluster has room for, and at most ``limit``.

    A worker or node that is lost, or of which nothing is heard for ``stall_seconds``, is trouble of kind `infra` with
    its task only. A node with other software is refused before anything is trained there: what is under way is
    finished, and then :meth:`listen` raises :class:`InputError`. When the cluster's head is gone it raises
    :class:`WorkFailed`. ``train`` is imported by name on the nodes; ``compiled`` says that it wants compiled loops,
    ``expected`` what software a node must have, and ``credentials`` are handed to every worker.
    """

    def __init__(
        self,
        connection: Connection,
        means: Cluster,
        train: Train,
        expected: Mapping[str, str],
        limit: int | None = None,
        stall_seconds: float = STALL_SECONDS,
        compiled: bool = True,
        credentials: Credentials | None = None,
    ) -> None:
        self.size = 0
        self._connection, self._means, self._limit, self._stall_seconds = connection, means, limit, stall_seconds
        self._share = Share(means.cpus, means.gpus)
        needs = environment()
        self._how = (kind_of_worker(self._share, needs), train, os.getcwd(), compiled, credentials)
        self._roll = Roll()
        self._gate = Gate(expected, needs)
        self._shelf = Shelf()
        self._members: list[Member] = []
        self._lost: list[tuple[float, Ending]] = []
        """What was lost, and when; it is told once the cluster has answered after that."""
        self._lost_at = -math.inf
        self._failures: Counter[str] = Counter()
        self._begun_anew: Counter[str] = Counter()
        self._refused: InputError | None = None
        self._nobody_since = time.monotonic()
        self._told_nobody = False
        self._follow()

    def begin(self, task: Task) -> None:
        """Hand ``task`` to a worker that has none."""
        member = next(m for m in self._members if m.joined is not None and m.task is None)
        lot = self._shelf.lot(task.config.data)
        inherited = inherit(task.config, task.earlier, task.out) is not None
        parcel = pack_legacy(task.out) if inherited else None
        order = Order(task, lot.expected, self._means.keep, self._means.checkpoint_home_seconds)
        member.begin(order, None if parcel is None else ray.put(parcel), lot.samples)

    def listen(self, moved: Callable[[Slot, Progress], None], noted: Callable[[str], None]) -> list[Ending]:
        """Wait a second at most, and say what has ended."""
        awaited = [member.awaited for member in self._members if member.awaited is not None]
        if awaited:
            ray.wait(awaited, num_returns=1, timeout=_LISTEN_SECONDS)
        else:
            time.sleep(_LISTEN_SECONDS)
        self._follow()
        endings = [
            ending
            for member in list(self._members)
            if member.task is not None and (ending := self._hear(member, moved, noted)) is not None
        ]
        endings += self._take_lost() + self._give_up_stalled()
        self._count(noted, bool(endings))
        return endings

    def where(self, slot: Slot) -> str:
        """The node and process that train the task of ``slot``."""
        mine = (member for member in self._members if member.task is not None and member.task.slot == slot)
        return next((member.name for member in mine), place_name(None))

    def close(self) -> None:
        """Let everybody go at once."""
        dismissals = [member.dismiss() for member in self._members]
        self._members.clear()
        self._roll.close()
        end = time.monotonic() + _LEAVE_SECONDS
        for dismissal in dismissals:
            dismissal.join(max(0.0, end - time.monotonic()))

    def _follow(self) -> None:
        """Have a worker for every share of the nodes that there are, and none elsewhere."""
        if self._roll.silence > _SILENCE_SECONDS:
            said = f"the Ray cluster at {self._connection.address} does not answer any more; is its head gone?"
            raise WorkFailed(f"{said} The same command goes on, on a new cluster.")
        there = {node.id for node in self._roll.last.nodes}
        for member in list(self._members):
            if member.node.id not in there:
                self._lose(member, "its node is gone")
            elif member.waiting_seconds > _BEGIN_ANEW_SECONDS * 2 ** self._begun_anew[member.node.id]:
                self._begun_anew[member.node.id] += 1  # the next one has twice the time: the node may be that slow
                self._lose(member, "it did not begin")
        if self._roll.last.asked < self._lost_at:  # the head may be what was lost, and to be asked would take a minute
            return
        for node in self._nodes():
            self._passes(node)  # asks it, so that it answers while its workers import
            mine = sum(member.node.id == node.id for member in self._members)
            room = self._share.times_in(node.cpus, node.gpus) - mine
            if self._limit is not None:
                room = min(room, self._limit - sum(not member.is_kept_waiting for member in self._members))
            for _ in range(room if self._refused is None else 0):
                self._members.append(Member(node, *self._how))

    def _hear(
        self, member: Member, moved: Callable[[Slot, Progress], None], noted: Callable[[str], None]
    ) -> Ending | None:
        """Pass on what ``member`` has said meanwhile; how its task ended, if it has."""
        task = member.task
        assert task is not None
        try:
            while (word := member.hear()) is not None:
                match word:
                    case Done(outcome, parcel):
                        member.task = None
                        return Ending(task, outcome if parcel is None else _bring_home(task, outcome, parcel))
                    case Saved(parcel):
                        _save(task, parcel, noted)
                    case str():
                        noted(word)
                    case _:
                        moved(task.slot, word)
        except Lost as error:
            self._lose(member, f"its worker died ({member.name})", str(error))
        return None

    def _lose(self, member: Member, said: str, detail: str = "") -> None:
        """Do without ``member``; what it was at is lost."""
        self._members.remove(member)
        member.dismiss()
        self._lost_at = time.monotonic()
        if member.task is not None:
            self._lost.append((self._lost_at, Ending(member.task, Trouble("infra", said, detail or said, "lost"))))

    def _take_lost(self) -> list[Ending]:
        """What was lost while the cluster as a whole is there: otherwise no slot is to blame."""
        told = [ending for when, ending in self._lost if when < self._roll.last.asked]
        self._lost = [(when, ending) for when, ending in self._lost if when >= self._roll.last.asked]
        return told

    def _give_up_stalled(self) -> list[Ending]:
        now = time.monotonic()
        endings = []
        for member in list(self._members):
            if member.task is not None and now - member.heard > self._stall_seconds:
                said = f"nothing was heard of it for {self._stall_seconds:g} s"
                self._members.remove(member)
                member.dismiss()
                endings.append(Ending(member.task, Trouble("infra", said, said, said)))
        return endings

    def _count(self, noted: Callable[[str], None], ended: bool) -> None:
        """See who is ready, and how many train at a time from now on; ``ended``: there is an ending to tell."""
        ready, passing = 0, {node.id for node in self._nodes() if self._passes(node)}
        for member in list(self._members):
            try:
                met = member.meet()
            except Lost as error:
                self._mourn(member, error)
                continue
            if met and (member.task is not None or member.node.id in passing):
                self._failures[member.node.id] = 0
                ready += 1
        if ready == self._limit:  # who is still kept waiting by the cluster is not needed
            for member in [member for member in self._members if member.joined is None]:
                self._lose(member, "not needed")
        busy = len(self._lost) + sum(member.task is not None for member in self._members)
        if self._refused is not None:
            if not busy and not ended:
                raise self._refused
            self.size = busy
            return
        self.size = ready + len(self._lost)
        self._tell_nobody(noted)

    def _nodes(self) -> list[Node]:
        """The nodes on which something can be trained: others may have what software they like."""
        return [node for node in self._roll.last.nodes if self._share.times_in(node.cpus, node.gpus)]

    def _passes(self, node: Node) -> bool:
        """Whether ``node`` may train; where it may never, that is remembered, and nothing more is begun."""
        try:
            return self._gate.passes(node)
        except InputError as error:
            self._refused = self._refused or error
            return False

    def _mourn(self, member: Member, error: Lost) -> None:
        """Do without a worker that did not come to begin, and give up where none ever does."""
        self._lose(member, str(error))
        self._failures[member.node.id] += 1
        if self._failures[member.node.id] >= _MOST_FAILURES and self._passes(member.node):
            raise WorkFailed(f"no worker can begin on node {member.node.host}: {error}. The same command goes on.")

    def _tell_nobody(self, noted: Callable[[str], None]) -> None:
        """Say once that there is nobody to train."""
        now = time.monotonic()
        if self.size:
            self._nobody_since, self._told_nobody = now, False
        elif now - self._nobody_since > _WAIT_SECONDS and not self._told_nobody:
            self._told_nobody = True
            nodes = self._nodes()
            silent = [node.host for node in nodes if not self._passes(node)]
            why = (
                f"none has {self._share} for a training"
                if not nodes
                else f"{', '.join(silent)} did not say yet what software is there"
                if silent
                else "no worker is ready yet"
            )
            noted(f"waiting for a node of the cluster: of {len(self._roll.last.nodes)} there, {why}")


def _bring_home(task: Task, outcome: Any, parcel: Parcel) -> Any:
    """Put a run's folder in its place; the outcome, or what went wrong with that."""
    try:
        unpack(parcel, task.out)
    except (ForeignParcel, tarfile.TarError) as error:
        return Trouble("bug", f"what came home is no folder of a run: {error}", str(error), "parcel")
    except OSError as error:
        return Trouble("infra", f"{type(error).__name__}: {error}", str(error), "parcel")
    if not isinstance(outcome, Trouble):
        forget(task.earlier)
    return outcome


def _save(task: Task, parcel: Parcel, noted: Callable[[str], None]) -> None:
    try:
        put_home(parcel, task.out)
    except (ForeignParcel, tarfile.TarError, OSError) as error:
        noted(f"a checkpoint of {task.slot.variant} {task.slot.label} could not be kept: {error}")
