"""A worker on a node: an actor that trains one task after another, and tells its agent meanwhile.

What it tells comes as a stream: how far it is, what a person should know, checkpoints, and at last how it ended with
the run's folder. The training has a thread of its own, so that the stream goes on while it computes.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import queue
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from spadam.files import holder
from spadam.spec import InputError
from spadam.sweep.running.cluster.checkpoints import Homing
from spadam.sweep.running.cluster.parcel import Parcel, extract, pack
from spadam.sweep.running.cluster.samples import Shipped, receive
from spadam.sweep.running.means import Keep
from spadam.sweep.running.task import Task, Train
from spadam.sweep.running.worker_process import Relay, Ticker, Trouble, attempt
from spadam.tracking import Credentials
from spadam.training.progress import Progress
from spadam.training.result import RunResult

_LOOK_SECONDS = 0.2
"""So often does the stream look for a new checkpoint while the training says nothing."""

_ALWAYS = ("result.json", "metrics.jsonl", "config.yaml")
_KEPT: dict[Keep, tuple[str, ...] | None] = {
    "all": None,
    "weights": (*_ALWAYS, "model.safetensors"),
    "nothing": _ALWAYS,
}
"""What of a folder comes home; None is everything."""

_ROOM = "spadam-run-"
_NEW_SECONDS = 60.0


class Joined(NamedTuple):
    """A worker that is ready to train."""

    host: str
    pid: int


class Order(NamedTuple):
    """What is to be done with a task."""

    task: Task
    data: str
    """The hash that its data must have."""
    keep: Keep
    home_seconds: float


class Saved(NamedTuple):
    """A checkpoint on its way home."""

    parcel: Parcel


class Done(NamedTuple):
    """How a task ended, and what of its folder comes home."""

    outcome: RunResult | Trouble
    parcel: Parcel | None


Word = Progress | str | Saved | Done
"""What a worker tells."""


class Worker:
    """The actor."""

    def __init__(self, train: Train, folder: str, compiled: bool) -> None:
        """``train`` is imported by name; ``folder`` is where the agent runs, and relative paths begin."""
        self._train, self._folder, self._compiled = train, folder, compiled
        self._words: queue.SimpleQueue[Progress | str] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._open = contextlib.ExitStack()

    def join(self, credentials: Credentials | None) -> Joined:
        """Get ready: import what trains, and have the loops compiled if no other worker of the node has.

        ``credentials`` are the agent's for W&B, where it streams. They come as what a method is given, which Ray brings
        from process to process and lists nowhere.
        """
        if credentials is not None:
            credentials.take()
        from spadam.sweep.running import preload  # noqa: F401
        from spadam.training import run  # noqa: F401  # here, because it takes seconds
        from spadam.training.home import cache

        logging.getLogger("spadam").addHandler(Relay(self._words.put))
        if said := self._open.enter_context(cache()):
            self._words.put(said)
        if os.path.isdir(self._folder):
            os.chdir(self._folder)
        if self._compiled:
            _compile()
        _sweep_up()
        return Joined(socket.gethostname(), os.getpid())

    def train(self, order: Order, inheritance: Parcel | None, samples: Shipped | None) -> Iterator[Word]:
        """Train the task of ``order``; ``inheritance`` is the checkpoint that it goes on from."""
        with tempfile.TemporaryDirectory(prefix=_ROOM) as room, (Path(room) / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            out = Path(room) / "run"
            training = self._pool.submit(self._attempt, order, out, inheritance, samples)
            yield from self._follow(training, Homing(out, order.home_seconds))
            outcome = training.result()
            yield Done(outcome, _pack(out, order, outcome))

    def _attempt(
        self, order: Order, out: Path, inheritance: Parcel | None, samples: Shipped | None
    ) -> RunResult | Trouble:
        try:
            receive(order.task.config.data, order.data, samples)
        except InputError as error:
            return Trouble("input", str(error), error=error)
        if inheritance is not None:
            out.mkdir()
            extract(inheritance, out)
        task = order.task._replace(out=out, earlier=())
        return attempt(task, self._train, Ticker(self._words.put).tick)

    def _follow(self, training: Future[Any], homing: Homing) -> Iterator[Word]:
        """What is heard of ``training`` until it has ended."""
        while not training.done() or not self._words.empty():
            with contextlib.suppress(queue.Empty):
                yield self._words.get(timeout=_LOOK_SECONDS)
            if (parcel := homing.next()) is not None:
                yield Saved(parcel)


def _pack(out: Path, order: Order, outcome: RunResult | Trouble) -> Parcel | None:
    """What comes home of a folder. Of a training that has failed it is all: another goes on from its checkpoint."""
    if not out.is_dir():
        return None
    return pack(out, _KEPT[order.keep] if isinstance(outcome, RunResult) else None)


def _compile() -> None:
    """Compile the loops, one worker of a node at a time: the others find what the first has made."""
    import torch

    from spadam import kernels

    device = torch.device("cpu")
    if not kernels.is_prepared(device):
        place = Path(kernels.cache_folder())
        place.mkdir(parents=True, exist_ok=True)
        with (place / ".compiling").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            kernels.prepare(device)


def _sweep_up() -> None:
    """Remove what workers have left on this node that were killed."""
    for room in Path(tempfile.gettempdir()).glob(f"{_ROOM}*"):
        with contextlib.suppress(OSError):
            is_ours = room.stat().st_uid == os.getuid()
            if is_ours and holder(room) is None and time.time() - room.stat().st_mtime > _NEW_SECONDS:
                shutil.rmtree(room, ignore_errors=True)
