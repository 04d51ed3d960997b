"""Commands from a process that has imported all that they import: each is a fork of it, and begins at once.

So does the server that forks a command's workers. What a command does is the same; of its six seconds five are imports.
As a program it takes orders from its input, a line of JSON each, and answers each with a line.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import util
from pathlib import Path
from typing import Any, NoReturn

from support.chaos.processes import SERVER
from support.paths import ROOT, SUPPORT


class Warm:
    """A process that begins commands."""

    def __init__(self) -> None:
        words = [sys.executable, "-m", "support.chaos.warm"]
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{SUPPORT}"}
        self._program = subprocess.Popen(
            words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, **order: Any) -> Any:
        stdin, stdout = self._program.stdin, self._program.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(order) + "\n")
        stdin.flush()
        return json.loads(stdout.readline())

    def start(self, words: list[str], environment: dict[str, str], said: Path, out: Path | None = None) -> Begun:
        """Begin a command, a list of the words behind the name of the program.

        What it says is appended to the file ``said``, but for what it prints where there is a file ``out`` for that.
        """
        return Begun(self, self.ask(start=words, environment=environment, said=str(said), out=str(out or said)))

    def close(self) -> None:
        self._program.communicate()


class Begun:
    """A command under way, as :class:`subprocess.Popen` has it."""

    def __init__(self, warm: Warm, pid: int) -> None:
        self._warm, self.pid = warm, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._warm.ask(ended=self.pid)
        return self.returncode

    def wait(self, timeout: float = 3600.0) -> int:
        end = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(0.05)
        return code

    def kill(self) -> None:
        os.kill(self.pid, 9)


def _serve() -> bool:
    """Do what is asked for; in a fork, which is to be a command, the answer is True."""
    for line in sys.stdin:
        order = json.loads(line)
        if "start" in order:
            answer: int | None = os.fork()
            if answer == 0:
                _become(order)
                return True
        else:
            pid, status = os.waitpid(order["ended"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        print(json.dumps(answer), flush=True)  # noqa: T201
    return False


def _become(order: dict[str, Any]) -> None:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    out, said = (os.open(order[name], os.O_WRONLY | os.O_APPEND | os.O_CREAT) for name in ("out", "said"))
    for ours, number in ((nothing, 0), (out, 1), (said, 2)):
        os.dup2(ours, number)
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    sys.argv[1:] = order["start"]


def _fork_servers() -> None:
    """Have the server that forks workers be a fork too, one that has nothing of the agent's but its imports."""
    begin = util.spawnv_passfds

    def begin_or_fork(path: bytes, words: Sequence[str], passed: Sequence[int]) -> int:
        if not words[-1].startswith("from multiprocessing.forkserver import main;"):
            return begin(path, words, passed)
        if pid := os.fork():
            return pid
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            low = 3
            for kept in (*sorted(passed), os.sysconf("SC_OPEN_MAX")):  # a lock would outlive its agent
                os.closerange(low, kept)
                low = kept + 1
            Path("/proc/self/comm").write_text(SERVER)
            exec(words[-1], {})
        except SystemExit:
            os._exit(0)  # who it served is gone
        except BaseException:
            traceback.print_exc()
        os._exit(1)

    util.spawnv_passfds = begin_or_fork


def _end(main: Callable[[], None]) -> NoReturn:
    """Run ``main``, and end as a program does, but for taking apart all that was imported: that takes a second."""
    code = 0
    try:
        main()
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1 if left.code else 0
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _import_what_is_late() -> None:
    """Import what a command and its workers import when they first need it, which is half of what they would do.

    Nothing that has threads may begin before the forks, so no loop is run.
    """
    import numba
    import psycopg  # noqa: F401
    import sklearn.datasets  # noqa: F401
    import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401

    import spadam.kernels.cpu.denormals
    import spadam.sweep.outcome.finding  # noqa: F401
    from spadam.sweep.store.connection import open_file

    numba.njit(lambda: 0)()  # whatever is compiled first has numba read all that it knows
    with tempfile.TemporaryDirectory() as folder, open_file(Path(folder) / "sweep.db"):
        pass


if __name__ == "__main__":
    import spadam.cli.commands
    import spadam.sweep.running.worker_process
    import spadam.training.run  # noqa: F401
    from support.chaos import command, trained  # noqa: F401

    _import_what_is_late()
    if _serve():
        _fork_servers()
        _end(command.main)
