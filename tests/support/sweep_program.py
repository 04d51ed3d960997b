"""A sweep as a program of its own, whose trainings say that they have begun and never end by themselves."""

import os
import subprocess
import sys
import time

from support.paths import ROOT, SUPPORT
from support.sweep_bench import Bench


class Program:
    """`python -m` of ``command`` in a session of its own, as a terminal starts it, with ``begun`` trainings under way.

    Whatever is done to it finds it at work, however slow the machine is.
    """

    def __init__(self, bench: Bench, begun: int, *command: str) -> None:
        self.pids = bench.spec.parent / "pids"
        self.pids.mkdir()
        path = os.pathsep.join((str(ROOT), str(SUPPORT)))
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, "SWEEP_PIDS": str(self.pids), "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        deadline = time.monotonic() + 300
        while sum(1 for _ in self.pids.iterdir()) < begun:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def workers(self) -> list[int]:
        """The processes that have begun a training."""
        return [int(path.name) for path in self.pids.iterdir()]
