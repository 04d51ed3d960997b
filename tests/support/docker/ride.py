"""One sweep in containers, in which a node, the database, the agent and the cluster's head are killed.

A further host joins it, and trains what is left.
"""

from __future__ import annotations

import json
import socket
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
from support.chaos.trained import Step, steps_in
from support.docker.noting import LOG, note_steps
from support.docker.stack import SECRETS, Stack

SPEC: dict[str, Any] = merge(
    SMALLEST, {"name": "docker", "search": {"trials": 12}, "base": {"trainer": {"epochs": 24}}}
)
"""Trainings of a second or two: a container that is killed comes again before the sweep has ended."""

ASK_NODES = """
import json, ray
ray.init("auto", logging_level="CRITICAL")
alive = [node for node in ray.nodes() if node["Alive"]]
print("nodes:", json.dumps([{"host": node["NodeManagerHostname"], **node["Resources"]} for node in alive]))
"""
"""Ray may say something of its own behind it, of a node that has died."""

HASH_FILES = """
import hashlib, json, pathlib, sys
print(json.dumps([{name: hashlib.sha256(path.read_bytes()).hexdigest() for name in sys.argv[1].split()
    if (path := pathlib.Path(folder, name)).exists()} for folder in sys.argv[2:]]))
"""

LONGEST_SECONDS = 300.0
TRIES = 4


def ask_nodes(stack: Stack) -> list[dict[str, Any]]:
    """The nodes of the cluster: each with its host's name and its resources."""
    said = stack.compose("exec", "-T", "head", "python", "-c", ASK_NODES)
    (there,) = (line.removeprefix("nodes: ") for line in said.splitlines() if line.startswith("nodes: "))
    nodes: list[dict[str, Any]] = json.loads(there)
    return nodes


@dataclass
class Ridden:
    """What was seen of it."""

    codes: list[tuple[int, list[Stored]]] = field(default_factory=list)
    """How each agent left, and what was stored then."""
    killed: list[str] = field(default_factory=list)
    begun: set[int] = field(default_factory=set)
    """Attempts that were there before some fault."""
    acknowledged: dict[int, tuple[Stored, dict[str, str]]] = field(default_factory=dict)
    """What was accepted before some fault: the rows of it, and its files."""
    processes: set[str] = field(default_factory=set)
    """The command lines of all processes of this machine, looked at twice a second while it is waited for something."""
    said: str = ""
    """What the agents, and all services, have said."""
    trials: list[Stored] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    """What the first host's workers trained."""
    joined_steps: list[Step] = field(default_factory=list)
    """What the further host's worker did."""


def ride(stack: Stack) -> Ridden:
    """Begin the sweep, have everything happen to it, and give the same command until it leaves with 0."""
    (stack.folder / "sweeps" / "sweep.yaml").write_text(dump(SPEC))
    stack.more |= {"SPEC": "sweeps/sweep.yaml"}
    stack.files = (*stack.files, note_steps(stack.folder, "worker", "sweep"))
    stack.compose("up", "--detach", "--wait", "--scale", "worker=2")
    return _Ride(stack).run()


class _Ride:
    def __init__(self, stack: Stack) -> None:
        self._stack, self._seen, self._log = stack, Ridden(), stack.folder / "said"
        self._agent = self._start()

    def run(self) -> Ridden:
        seen = self._seen
        for service in ("worker", "db"):
            self._let_accept_more()
            self._kill(service)
            self._until(lambda: bool(self._stack.containers("db")))
        for service in ("sweep", "head"):
            self._let_accept_more()
            self._kill(service)
            self._go_on()
        self._let_accept_more()
        self._note()
        self._stack.docker("stop", *(container["Id"] for container in self._stack.containers("sweep")))
        self._go_on()
        self._let_accept_more()
        self._join()
        for _ in range(TRIES):
            self._go_on()
            if self._agent.poll() == 0:
                break
        seen.joined_steps = self._steps(self._stack.joined)
        self._stack.compose("start", "worker")
        seen.steps = self._steps(self._stack.project)
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

    def _let_accept_more(self) -> None:
        """Wait until this agent has had two more trainings accepted."""
        many = 2 + sum(trial.accepted for trial in self._trials())
        self._until(lambda: self._agent.poll() is not None or sum(t.accepted for t in self._trials()) >= many)

    def _until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + LONGEST_SECONDS
        while not true():
            assert time.monotonic() < end, self._log.read_text()[-3000:]
            self._seen.processes |= _command_lines()
            time.sleep(0.5)

    def _kill(self, service: str) -> None:
        self._note()
        if self._agent.poll() is None:
            self._stack.kill(service)
            self._seen.killed.append(service)

    def _note(self) -> None:
        """Look at what there is, before something happens to it."""
        seen, trials = self._seen, self._trials()
        seen.begun |= {trial.id for trial in trials}
        new = [trial for trial in trials if trial.accepted and trial.id not in seen.acknowledged]
        folders = [f"/srv/runs/{SPEC['name']}/{stored.folder_of(trials, trial, SPEC)}" for trial in new]
        asked = ("python", "-c", HASH_FILES, " ".join(stored.FILES), *folders)
        hashes = json.loads(self._stack.compose("exec", "-T", "dashboard", *asked))
        seen.acknowledged |= {trial.id: (trial, files) for trial, files in zip(new, hashes, strict=True)}

    def _join(self) -> None:
        """Have another host join, as far as one machine can be two: with its own network, project and volumes.

        The first one's workers have gone, so it trains what is left.
        """
        stack = self._stack
        stack.compose("kill", "worker")  # somebody's wish, after which nothing is started again
        stack.more |= {"HEAD": f"{stack.address('head')}:6379"}
        files = ("compose.worker.yaml", note_steps(stack.folder, "worker"))
        stack.compose("up", "--detach", files=files, project=stack.joined)
        self._until(lambda: [node["host"] for node in ask_nodes(stack) if node.get("CPU")] == [socket.gethostname()])

    def _steps(self, project: str) -> list[Step]:
        """What the workers of ``project`` noted; they have a volume for it together."""
        worker = self._stack.containers("worker", project)[0]["Id"]
        return list(steps_in(self._stack.docker("exec", worker, "cat", LOG)))

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


def _command_lines() -> set[str]:
    """Of all processes of this machine, which sees those of its containers."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it has ended
    return found
