"""Commands from a process that has imported all that they import: each is a fork of it, and begins at once.

What a command does is the same; of its six seconds five are imports. As a program it takes orders from its input, a
line of JSON each, and answers each with a line.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

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

    def start(self, words: list[str], environment: dict[str, str], said: Path) -> Begun:
        """Begin a command, a list of the words behind the name of the program; what it says is appended to a file."""
        return Begun(self, self.ask(start=words, environment=environment, said=str(said)))

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
    said = os.open(order["said"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for ours, number in ((nothing, 0), (said, 1), (said, 2)):
        os.dup2(ours, number)
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    sys.argv[1:] = order["start"]


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


if __name__ == "__main__":
    import sklearn.datasets  # noqa: F401

    from support.chaos import command

    if _serve():
        _end(command.main)
