"""A worker: a process that trains one task after another, as its agent hands them over a pipe.

It is forked from a server that has imported torch and Lightning, stays warm between tasks, and never outlives its
agent.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import signal
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Mapping
from multiprocessing import util
from multiprocessing.connection import Connection
from typing import Literal, NamedTuple

from typing_extensions import override

from spadam.spec import InputError
from spadam.sweep.running.task import Task, Train
from spadam.training.interruption import SIGNALS
from spadam.training.memory import ran_out
from spadam.training.progress import Progress
from spadam.training.result import RunResult

TICK_SECONDS = 0.5
"""A worker says how far it is at most so often."""


class Trouble(NamedTuple):
    """Why a training gave no result."""

    failure: Literal["infra", "bug", "input"]
    said: str
    """The error in a line."""
    traceback: str = ""
    signature: str = ""
    """Equal for errors of the same kind that were raised at the same place."""
    error: InputError | None = None
    """What was wrong with the input."""


Message = Progress | str | RunResult | Trouble
"""What a worker sends: how far it is, something that a person should know, how its task ended."""


def attempt(task: Task, train: Train, progress: Callable[[Progress], None]) -> RunResult | Trouble:
    """Train ``task``; whatever goes wrong is told, but for an interruption.

    A disk that is full or gone is `infra`, and so is memory that ran out: how much there is depends on who else trains
    on this machine, or on this GPU, at the time, and no configuration is worse for it. The slot is tried again from its
    last checkpoint. Where it never fits, the sweep says so after the attempts that such a failure has.
    """
    try:
        return train(task, progress)
    except InputError as error:
        return Trouble("input", str(error), error=error)
    except OSError as error:
        return _trouble("infra", error)
    except Exception as error:
        if ran_out(error):
            return _out_of_memory(error)
        return _trouble("bug", error)


def serve(
    connection: Connection, line: Connection, train: Train, device: str | None, variables: Mapping[str, str | None]
) -> None:
    """Train what comes over ``connection`` until it closes; leave at once when ``line`` does.

    ``device`` is the only GPU that this process may see, ``variables`` is what its environment must have.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # they reach the whole group, and the agent decides
    threading.Thread(target=_leave_at_the_end_of, args=(line,), daemon=True).start()
    restore_variables(variables)
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = device
    outbox = _Outbox(connection)
    logging.getLogger("spadam").addHandler(Relay(outbox.send))
    with contextlib.suppress(EOFError, ConnectionError):  # its agent is gone, and with it whoever wanted to know
        while True:
            task: Task = connection.recv()
            outbox.send(attempt(task, train, Ticker(outbox.send).tick))


class _Outbox:
    """What goes to the agent, a message at a time: a warning may come from another thread than the training's."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._lock = connection, threading.Lock()

    def send(self, message: Message) -> None:
        with self._lock:
            self._connection.send(message)


class Ticker:
    """Sends how far a training is, now and then."""

    def __init__(self, send: Callable[[Progress], None]) -> None:
        self._send, self._last = send, 0.0

    def tick(self, progress: Progress) -> None:
        """Send ``progress``, unless something was sent just now."""
        now = time.monotonic()
        if now - self._last >= TICK_SECONDS:
            self._last = now
            self._send(progress)


class Relay(logging.Handler):
    """Sends warnings to the agent, whose terminal it is."""

    def __init__(self, send: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._send = send

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self._send(record.getMessage())


def restore_variables(variables: Mapping[str, str | None]) -> None:
    """Give ``variables`` of the environment their values; None is for one that is not set."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _leave_at_the_end_of(line: Connection) -> None:
    """Leave, whatever the training is at, when the agent has let go of this worker, or is dead."""
    with contextlib.suppress(EOFError, OSError):
        line.recv()
    # Nobody else does it in a process that was forked: semaphores would be told as leaked, temporary folders stay.
    with contextlib.suppress(Exception):
        util._run_finalizers(0)  # type: ignore[attr-defined]
        weakref.finalize._exitfunc()  # type: ignore[attr-defined]
    os._exit(0)


def _out_of_memory(error: Exception) -> Trouble:
    """Trouble that holds none of what the training had: the next attempt in this process needs the room."""
    found = _trouble("infra", error)
    traceback.clear_frames(error.__traceback__)
    return found._replace(said=f"out of memory ({found.said}); fewer workers at a time leave more for each")


def _trouble(failure: Literal["infra", "bug"], error: Exception) -> Trouble:
    text = "".join(traceback.format_exception(error))
    return Trouble(failure, f"{type(error).__name__}: {error}", text, _signature(error))


def _signature(error: Exception) -> str:
    """What makes two errors the same: their kind and where they were raised, not the values in their text."""
    places = [(frame.filename, frame.lineno, frame.name) for frame in traceback.extract_tb(error.__traceback__)]
    return hashlib.sha256(repr((type(error).__name__, places)).encode()).hexdigest()[:16]
