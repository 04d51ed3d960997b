"""One sweep in containers, in which a node, the database and the agent are killed, and which a further host joins."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spadam.spec import dump, merge
from support.chaos import stored
from support.chaos.plan import SPEC as SMALLEST
from support.chaos.stored import Stored
from support.docker.stack import SECRETS, Stack

SPEC: dict[str, Any] = merge(
    SMALLEST, {"name": "docker", "search": {"trials": 12}, "base": {"trainer": {"epochs": 24}}}
)
"""Trainings of a second or two: a container that is killed comes again before the sweep has ended."""

ASK_NODES = """
import json, ray
ray.init("auto", logging_level="CRITICAL")
alive = [node for node in ray.nodes() if node["Alive"]]
print(json.dumps([{"address": node["NodeManagerAddress"], **node["Resources"]} for node in alive]))
"""

LONGEST_SECONDS = 300.0
TRIES = 4


@dataclass
class Ridden:
    """What was seen of it."""

    codes: list[tuple[int, list[Stored]]] = field(default_factory=list)
    """How each agent left, and what was stored then."""
    killed: list[str] = field(default_factory=list)
    begun: set[int] = field(default_factory=set)
    """Attempts that were there before some fault."""
    processes: str = ""
    """The command lines of all processes of this machine, several times meanwhile."""
    said: str = ""
    """What the agents, and all services, have said."""
    trials: list[Stored] = field(default_factory=list)
    nodes: str = ""
    """The cluster's nodes once the further host had joined."""


def ride(stack: Stack) -> Ridden:
    """Begin the sweep, have everything happen to it, and give the same command until it leaves with 0."""
    (stack.folder / "sweeps" / "sweep.yaml").write_text(dump(SPEC))
    stack.more |= {"SPEC": "sweeps/sweep.yaml"}
    stack.compose("up", "--detach", "--wait", "--scale", "worker=2")
    return _Ride(stack).run()


class _Ride:
    def __init__(self, stack: Stack) -> None:
        self._stack, self._seen, self._log = stack, Ridden(), stack.folder / "said"
        self._agent = self._start()

    def run(self) -> Ridden:
        seen = self._seen
        self._let_accept(2)
        self._kill("worker")
        self._let_accept(4)
        self._kill("db")
        self._until(lambda: bool(self._stack.containers("db")))
        self._let_accept(6)
        self._kill("sweep")
        self._go_on()
        self._let_accept(8)
        self._note()
        self._stack.docker("stop", *(container["Id"] for container in self._stack.containers("sweep")))
        self._go_on()
        self._let_accept(10)
        self._join()
        for _ in range(TRIES):
            self._go_on()
            if self._agent.poll() == 0:
                break
        seen.trials = self._trials()
        seen.said = self._log.read_text() + self._stack.compose("logs", "--no-color")
        return seen

    def _go_on(self) -> None:
        """Wait for the agent's end, and give the same command again where it was not the end of the sweep."""
        code = self._agent.wait(LONGEST_SECONDS)
        self._seen.codes.append((code, self._trials()))
        if code != 0:
            self._agent = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        words = self._stack.words("run", "--rm", "-T", "sweep")
        with self._log.open("ab") as said:
            return subprocess.Popen(
                words, env=self._stack.environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )

    def _let_accept(self, many: int) -> None:
        """Wait until so many trainings are accepted in all."""
        self._until(lambda: self._agent.poll() is not None or sum(t.accepted for t in self._trials()) >= many)

    def _until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + LONGEST_SECONDS
        while not true():
            assert time.monotonic() < end, self._log.read_text()[-3000:]
            time.sleep(0.2)

    def _kill(self, service: str) -> None:
        self._note()
        if self._agent.poll() is None:
            self._stack.kill(service)
            self._seen.killed.append(service)

    def _note(self) -> None:
        """Look at what there is, before something happens to it."""
        self._seen.processes += "".join(_command_lines())
        self._seen.begun |= {trial.id for trial in self._trials()}

    def _join(self) -> None:
        """Have another host join, as far as one machine can be two: with its own network, project and volumes."""
        self._stack.more |= {"HEAD": f"{self._stack.address('head')}:6379"}
        self._stack.compose("up", "--detach", files=("compose.worker.yaml",), project=self._stack.joined)
        self._until(lambda: len(self._stack.containers("worker", self._stack.joined)) == 1)
        time.sleep(8)  # Ray's start
        self._seen.nodes = self._stack.compose("exec", "-T", "head", "python", "-c", ASK_NODES)

    def _trials(self) -> list[Stored]:
        """What the database holds; nothing is known while it is away."""
        import psycopg

        end = time.monotonic() + LONGEST_SECONDS
        while True:
            try:
                address = self._stack.address("db")
                return stored.read(f"postgresql://spadam:{SECRETS['db_password']}@{address}/spadam?connect_timeout=2")
            except (psycopg.OperationalError, ValueError):
                assert time.monotonic() < end
                time.sleep(0.5)


def _command_lines() -> list[str]:
    """Of all processes of this machine, which sees those of its containers."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace") + "\n")
        except OSError:
            continue  # it has ended
    return found
