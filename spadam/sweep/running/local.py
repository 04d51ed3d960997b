"""The crew on this machine: worker processes.

Workers come from a *fork server*, a process that has imported torch and Lightning and done nothing else: a worker is
at its first step at once, and one that dies takes only its own training with it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

from spadam import machine
from spadam.files import CACHE
from spadam.sweep.running.crew import Ending, place_name
from spadam.sweep.running.means import STALL_SECONDS
from spadam.sweep.running.task import Task, Train
from spadam.sweep.running.worker_process import Message, Trouble, restore_variables, serve
from spadam.sweep.search.slots import Slot
from spadam.training.interruption import blocked, farewells
from spadam.training.progress import Progress
from spadam.training.result import RunResult

MOST_BY_DEFAULT = 4
"""A worker wants about a gigabyte, and a machine may have other things to do: more of them only when asked for."""

_LISTEN_SECONDS = 1.0

_LONGEST = 70  # /pymp-xxxxxxxx/listener-xxxxxxxx comes behind it


LEAVE_SECONDS = 2.0
"""Workers that are let go have so long to clear up behind them."""


class _Member:
    """One worker, and what it is at."""

    def __init__(self, process: BaseProcess, connection: Connection, line: Connection, number: int) -> None:
        self.process, self.connection, self.number = process, connection, number
        self._line = line
        self.task: Task | None = None
        self.heard = 0.0

    def dismiss(self) -> None:
        """Let it go at once, whatever it is at: the end of its line is what it leaves at."""
        self._line.close()

    def close(self, patience: float = 0.0) -> None:
        """See it gone, within ``patience`` seconds by itself."""
        self.dismiss()
        self.process.join(patience)
        self.process.kill()
        self.process.join()
        self.process.close()
        self.connection.close()


class Workers:
    """Up to ``size`` worker processes, each with one of ``devices`` where there are some.

    A worker that dies, or of which nothing is heard for ``stall_seconds``, is trouble of kind `infra` with its task
    only; another takes its place when there is something to train. ``train`` is imported by name in the workers.
    """

    def __init__(
        self, size: int, train: Train, devices: Sequence[str] = (), stall_seconds: float = STALL_SECONDS
    ) -> None:
        self.size = size
        self._train, self._devices, self._stall_seconds = train, devices, stall_seconds
        self._members: list[_Member] = []
        self._context = multiprocessing.get_context("forkserver")

    def begin(self, task: Task) -> None:
        """Hand ``task`` to a worker that has none, or to a new one."""
        self._bury()
        member = next((member for member in self._members if member.task is None), None) or self._hire()
        member.task, member.heard = task, time.monotonic()
        with contextlib.suppress(OSError):  # it has just died: listen finds that out
            member.connection.send(task)

    def listen(self, moved: Callable[[Slot, Progress], None], noted: Callable[[str], None]) -> list[Ending]:
        """Wait a second at most, and say what has ended."""
        by_connection = {member.connection: member for member in self._members}
        endings = []
        for ready in wait(list(by_connection), _LISTEN_SECONDS):
            assert isinstance(ready, Connection)
            member = by_connection[ready]
            message = self._receive(member)
            member.heard = time.monotonic()
            if isinstance(message, RunResult | Trouble):
                assert member.task is not None
                endings.append(Ending(member.task, message))
                member.task = None
            elif isinstance(message, str):
                noted(message)
            elif isinstance(message, Progress) and member.task is not None:
                moved(member.task.slot, message)
        return endings + self._give_up_stalled()

    def where(self, slot: Slot) -> str:
        """The process that trains the task of ``slot``."""
        mine = (member for member in self._members if member.task is not None and member.task.slot == slot)
        return place_name(next((member.process.pid for member in mine), None))

    def close(self) -> None:
        """Let everybody go at once, whatever they are at."""
        for member in self._members:
            member.dismiss()
        end = time.monotonic() + LEAVE_SECONDS
        for member in self._members:
            member.close(max(0.0, end - time.monotonic()))
        self._members.clear()

    def _bury(self) -> None:
        """Let go of those that have died while they had nothing to do: their places are free."""
        for member in [m for m in self._members if m.task is None and not m.process.is_alive()]:
            self._members.remove(member)
            member.close()

    def _receive(self, member: _Member) -> Message | None:
        """The next message of a worker; when it has died, trouble with what it was at, or None."""
        try:
            message: Message = member.connection.recv()
        except (EOFError, OSError):
            member.process.join()
            code = member.process.exitcode
            self._members.remove(member)
            member.close()
            return None if member.task is None else _died(f"its worker died ({_reason(code)})")
        return message

    def _give_up_stalled(self) -> list[Ending]:
        now = time.monotonic()
        stalled = [m for m in self._members if m.task is not None and now - m.heard > self._stall_seconds]
        endings = []
        for member in stalled:
            self._members.remove(member)
            member.close()
            assert member.task is not None
            endings.append(Ending(member.task, _died(f"nothing was heard of it for {self._stall_seconds:g} s")))
        return endings

    def _hire(self) -> _Member:
        taken = {member.number for member in self._members}
        number = next(number for number in range(self.size) if number not in taken)
        device = self._devices[number % len(self._devices)] if self._devices else None
        ours, theirs = self._context.Pipe()
        their_end, line = self._context.Pipe(duplex=False)
        work = (theirs, their_end, self._train, device, _variables())
        process = self._context.Process(target=serve, args=work, name=f"worker-{number}")
        warm_up()  # it may have died
        with _no_main():
            process.start()
        theirs.close()  # so that the death of the worker is the end of what it sends
        their_end.close()
        member = _Member(process, ours, line, number)
        self._members.append(member)
        return member


@contextlib.contextmanager
def _no_main() -> Iterator[None]:
    """Hide the main module from what starts a process, which would run it again in there.

    A worker imports what it trains by name. So a script may call :func:`spadam.run_sweep` as it stands, without the
    usual guard around it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def warm_up() -> None:
    """Start the fork server, if none is there; it imports torch and Lightning while the agent does other things.

    Neither it nor what it forks hears the signals that interrupt an agent: who puts slots back decides when they leave.
    """
    with _short_temporary_folder():
        util.get_temp_dir()  # the server's socket will lie there
    preloaded = ["spadam.sweep.running.preload", "spadam.training.run", "spadam.sweep.running.worker_process"]
    multiprocessing.get_context("forkserver").set_forkserver_preload(preloaded)
    with blocked():
        resource_tracker.ensure_running()  # first, because it lets the signals through again
    with blocked(), _same_path():
        forkserver.ensure_running()
    farewells.add(stop_server)


def stop_server() -> None:
    """End the fork server, which may be in the middle of its imports; the workers that it has forked stay."""
    server: Any = forkserver._forkserver  # nothing public knows its process
    if (pid := server._forkserver_pid) is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _variables() -> dict[str, str | None]:
    """What a worker's environment must have, whatever the server was started with."""
    return {name: os.environ.get(name) for name in ("PYTHONPATH", "PYTHONSAFEPATH", CACHE)}


@contextlib.contextmanager
def _same_path() -> Iterator[None]:
    """Have a Python that is started now import from where this one does.

    By itself a fork server looks in the current folder first: for the standard library, and for this package.
    """
    before = _variables()
    os.environ.update(PYTHONPATH=os.pathsep.join(map(os.path.abspath, sys.path)), PYTHONSAFEPATH="1")
    try:
        yield
    finally:
        restore_variables(before)


@contextlib.contextmanager
def _short_temporary_folder() -> Iterator[None]:
    """/tmp for what would not fit below the present one: the path of a socket has at most 107 bytes."""
    before = tempfile.tempdir
    if len(os.fsencode(tempfile.gettempdir())) > _LONGEST and os.access("/tmp", os.W_OK):
        tempfile.tempdir = "/tmp"
    try:
        yield
    finally:
        tempfile.tempdir = before


def default_workers(threads: int, devices: int) -> int:
    """How many workers a machine gets: one a GPU, else one for every ``threads`` cores, but not more than a few."""
    return devices or max(1, min(MOST_BY_DEFAULT, machine.cores() // threads))


def visible_devices() -> list[str]:
    """The GPUs of this machine, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    return named.split(",")[:count] if named else [str(number) for number in range(count)]


def _died(said: str) -> Trouble:
    return Trouble("infra", said, said, said)


def _reason(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    return f"signal {-code}" + (": out of memory?" if code == -9 else "")
