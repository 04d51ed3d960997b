"""The services of docker/, as a person starts them: by docker's own commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.paths import ROOT

DOCKER = ROOT / "docker"

SERVICES = ("db", "head", "worker", "dashboard")
"""Those that are up; the agent comes and goes."""

SECRETS = {
    "db_password": "canary-of-the-database-5d0c",
    "wandb_api_key": "canary0of0wandb0" + "7" * 24,
    "ray_token": "canary0of0ray000" + "9" * 48,
}
"""What must be seen nowhere."""

SMALL = {
    "HEAD_MEMORY": "2g",
    "WORKER_MEMORY": "4g",
    "SWEEP_MEMORY": "4g",
    "DASHBOARD_MEMORY": "1g",
    "WORKER_CPUS": "1",
    "SHM_SIZE": "256mb",
    "RAY_STORE_BYTES": "100000000",
    "HEAD_STORE_BYTES": "100000000",
}
"""So that several nodes fit beside each other on a machine with two cores."""


@dataclass
class Stack:
    """One project of compose, with its own secrets, sweeps and volumes."""

    folder: Path
    image: str
    project: str = "spadam-test"
    more: dict[str, str] = field(default_factory=dict)
    """Variables of the compose files."""
    files: tuple[str, ...] = ("compose.yaml",)
    """The compose files: those of docker/ by their names, others by their paths."""

    def __post_init__(self) -> None:
        secrets = self.folder / "secrets"
        secrets.mkdir(parents=True)
        secrets.chmod(0o700)
        for name, text in SECRETS.items():
            (secrets / name).write_text(text)
            (secrets / name).chmod(0o644)
        (self.folder / "sweeps").mkdir()

    @property
    def joined(self) -> str:
        """The project of the further host."""
        return f"{self.project}-joined"

    @property
    def environment(self) -> dict[str, str]:
        places = {"SECRETS": str(self.folder / "secrets"), "SWEEPS": str(self.folder / "sweeps")}
        return {**os.environ, **SMALL, **places, "SPADAM_IMAGE": self.image, "DASHBOARD_PORT": "18080", **self.more}

    def words(self, *words: str, files: tuple[str, ...] | None = None, project: str | None = None) -> list[str]:
        """`docker compose` with ``words``, and with other files or for another project where they are given."""
        named = [word for name in files or self.files for word in ("--file", str(DOCKER / name))]
        return ["docker", "compose", "--project-name", project or self.project, *named, *words]

    def compose(self, *words: str, **how: Any) -> str:
        """What `docker compose` prints."""
        return self._run(self.words(*words, **how))

    def docker(self, *words: str) -> str:
        """What `docker` prints."""
        return self._run(["docker", *words])

    def _run(self, words: list[str]) -> str:
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr[-3000:]}"
        return done.stdout

    def containers(self, service: str, project: str | None = None) -> list[dict[str, Any]]:
        """What is known of the containers of ``service`` that run."""
        label = f"label=com.docker.compose.project={project or self.project}"
        ids = self.docker(
            "ps", "--quiet", "--filter", label, "--filter", f"label=com.docker.compose.service={service}"
        ).split()
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", *ids)) if ids else []
        return found

    def address(self, service: str) -> str:
        """Of its container in the first of its networks, which this host reaches."""
        (container,) = self.containers(service)
        networks = container["NetworkSettings"]["Networks"]
        return str(next(network["IPAddress"] for network in networks.values()))

    def kill(self, service: str) -> int:
        """Kill the first process of one container, as a fault would; compose starts what it was told to start again.

        `docker kill` is somebody's wish, after which nothing is started.
        """
        pid = int(self.containers(service)[0]["State"]["Pid"])
        os.kill(pid, signal.SIGKILL)
        return pid

    def ask(self, command: str, sweep: str) -> Any:
        """What `spadam sweep COMMAND --json` says in the dashboard's container."""
        return json.loads(self.compose("exec", "-T", "dashboard", "spadam", "sweep", command, sweep, "--json"))

    def down(self) -> None:
        """End everything, and forget it."""
        self.more.setdefault("HEAD", "none:6379")  # the file asks for it, though nobody joins
        self.compose("down", "--volumes", "--timeout", "5", files=("compose.worker.yaml",), project=self.joined)
        self.compose("--profile", "sweep", "down", "--volumes", "--remove-orphans", "--timeout", "5")
