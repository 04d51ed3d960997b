"""A sweep that is run by its command, again and again, while things happen to it; and what was seen of it meanwhile."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from spadam.spec import dump
from support.chaos import processes, stored
from support.chaos.stored import Stored
from support.chaos.trained import Step
from support.chaos.trained import read as read_log
from support.chaos.variables import LOG
from support.chaos.warm import Begun, Warm
from support.paths import ROOT, SUPPORT

Crew = Literal["local", "ray"]

RETRIES = ("--retries", "1000")
"""Words of `sweep run` by which a slot outlives any number of kills."""

PROGRAM = [sys.executable, "-m", "support.chaos.command"]

LONGEST_SECONDS = 600.0
"""No command takes so long here, not on a machine on which everything takes ten times as long: one that does hangs."""


@dataclass(frozen=True)
class Place:
    """Where a sweep lies, and who runs it."""

    folder: Path
    spec: dict[str, Any]
    url: str | None = None
    """Of a PostgreSQL server; None is a file beside the runs."""
    crew: Crew = "local"
    size: int = 2
    warm: Warm | None = None
    """Who begins the command; None is the system."""

    @property
    def out(self) -> Path:
        return self.folder / "runs"

    @property
    def home(self) -> Path:
        """The folder of the sweep."""
        return self.out / str(self.spec["name"])

    @property
    def storage(self) -> str | Path:
        return self.url or self.home / "sweep.db"

    @property
    def file(self) -> Path:
        path = self.folder / "sweep.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != dump(self.spec):
            path.write_text(dump(self.spec))
        return path

    def words(self, command: str, *more: str) -> list[str]:
        """`sweep run`, `status` or `results`, as a person would write it."""
        there = ["--storage", self.url] if self.url else []
        who = [] if self.crew == "local" else ["--crew", self.crew]
        if command == "run":
            more = (*(["--workers", str(self.size)] if self.crew == "local" else who), *RETRIES, *more)
        return [*PROGRAM, "sweep", command, str(self.file), "--out", str(self.out), *there, *more]

    def environment(self, **more: str) -> dict[str, str]:
        known = {LOG: str(self.folder / "steps"), "PYTHONPATH": f"{ROOT}{os.pathsep}{SUPPORT}", "COLUMNS": "200"}
        return {**os.environ, **known, **more}

    def ask(self, command: str, **environment: str) -> Any:
        """What `sweep status` or `results` says as JSON."""
        if self.warm is not None:
            return self._ask_warm(self.warm, command, environment)
        done = subprocess.run(
            self.words(command, "--json"),
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def _ask_warm(self, warm: Warm, command: str, environment: dict[str, str]) -> Any:
        out, said = (self.folder / f"asked.{name}" for name in ("out", "err"))
        out.unlink(missing_ok=True)
        words = self.words(command, "--json")[len(PROGRAM) :]
        assert warm.start(words, self.environment(**environment), said, out).wait(LONGEST_SECONDS) == 0, (
            said.read_text()
        )
        return json.loads(out.read_text())

    def trials(self) -> list[Stored]:
        return stored.read(self.storage)


class Look(NamedTuple):
    """What `status --json` said, between two looks into the storage."""

    attended: bool
    """Whether the agent lived all the while."""
    status: dict[str, Any]
    before: list[Stored]
    after: list[Stored]


@dataclass
class Ride:
    """One sweep from its first command to the one that leaves with 0."""

    place: Place
    codes: list[tuple[int, list[Stored]]] = field(default_factory=list)
    """How each agent left, and what was stored then."""
    looks: list[Look] = field(default_factory=list)
    acknowledged: dict[int, tuple[Stored, dict[str, str]]] = field(default_factory=dict)
    """What was accepted before some fault: the rows of it, and its files."""
    begun: set[int] = field(default_factory=set)
    """Attempts that were there before some fault."""
    kills: int = 0
    worker_kills: int = 0
    _agent: subprocess.Popen[bytes] | Begun | None = None

    @property
    def agent(self) -> subprocess.Popen[bytes] | Begun:
        assert self._agent is not None
        return self._agent

    @property
    def said(self) -> str:
        """Everything that agents have said."""
        return (self.place.folder / "said").read_text(errors="replace")

    @property
    def steps(self) -> Iterator[Step]:
        return read_log(self.place.folder / "steps")

    def start(self, **environment: str) -> None:
        """Give the command."""
        words, variables = self.place.words("run"), self.place.environment(**environment)  # makes the folder, too
        path = self.place.folder / "said"
        if self.place.warm is not None:
            self._agent = self.place.warm.start(words[len(PROGRAM) :], variables, path)
            return
        with path.open("ab") as said:
            self._agent = subprocess.Popen(
                words, env=variables, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
            )

    def let_train(self, steps: int) -> bool:
        """Wait until so many more steps have been trained; false when the command ends before."""
        many = steps + sum(1 for _ in self.steps)
        end = time.monotonic() + LONGEST_SECONDS
        while sum(1 for _ in self.steps) < many:
            if self.agent.poll() is not None:
                return False
            assert time.monotonic() < end, self.said[-3000:]
            time.sleep(0.05)
        return True

    def wait(self, seconds: float = LONGEST_SECONDS) -> int:
        """Wait for the agent's end."""
        try:
            code = self.agent.wait(seconds)
        except subprocess.TimeoutExpired:
            self.agent.kill()
            raise AssertionError(f"the command hangs:\n{self.said[-3000:]}") from None
        self.codes.append((code, self.place.trials()))
        return code

    def finish(self, tries: int = 20, **environment: str) -> None:
        """Give the same command until it leaves with 0."""
        for _ in range(tries):
            if self._agent is None or self.agent.returncode is not None:
                self.start(**environment)
            if self.wait() == 0:
                break
            self.remember()
        assert self.codes[-1][0] == 0, f"exit codes {[code for code, _ in self.codes]}:\n{self.said[-3000:]}"
        self.look()

    def remember(self) -> None:
        """Note what is accepted by now: nothing that happens later may change it."""
        trials = self.place.trials()
        self.begun |= {trial.id for trial in trials}
        for trial in trials:
            if trial.accepted and trial.id not in self.acknowledged:
                folder = self.place.home / stored.folder_of(trials, trial, self.place.spec)
                self.acknowledged[trial.id] = (trial, stored.hashes(folder))

    def look(self, **environment: str) -> None:
        """Ask for the status, and hold the storage against it."""
        if not self.place.home.exists():
            return  # then it is asked for what is not there, and says so with 2
        before, lived = self.place.trials(), self.agent.poll() is None
        status = self.place.ask("status", **environment)
        after, lives = self.place.trials(), self.agent.poll() is None
        if lived == lives:
            self.looks.append(Look(lives, status, before, after))

    def kill(self, pid: int) -> None:
        """Note what there is, and kill somebody."""
        self.remember()
        if processes.kill(pid):
            self.kills += 1
            self.worker_kills += pid != self.agent.pid
        if pid == self.agent.pid:
            self.agent.wait()
            self.codes.append((self.agent.returncode, self.place.trials()))


def harass(ride: Ride, kills: int, dice: random.Random) -> None:
    """Kill the agent, its workers or their server, ``kills`` times; give the same command whenever it has ended.

    Mostly there are some steps of training between two kills, on an idle machine a second or two of it; sometimes only
    time, which on any machine falls within a beginning. A sweep that has come to its end earlier is left alone.
    """
    ride.start()
    while ride.kills < kills:
        if dice.random() < 0.85:
            ride.let_train(dice.randint(10, 250))
        else:
            time.sleep(dice.uniform(0.0, 3.0))
        if ride.agent.poll() is not None:
            if ride.wait() == 0:
                break
            ride.start()
            continue
        pid = ride.agent.pid
        there = dice.random(), processes.workers(pid), processes.servers(pid)
        match there:
            case (chance, [*found], _) if found and chance < 0.65:
                ride.kill(dice.choice(found))
            case (chance, _, [server]) if chance < 0.7:
                ride.kill(server)
            case _:
                ride.kill(pid)
                if dice.random() < 0.3:
                    ride.look()
                ride.start()
    if ride.agent.returncode == 0:
        ride.look()
    else:
        ride.finish()
