"""Where processes that train for a test work: a home, a temporary folder and a working folder of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from spadam.kernels import cache_folder
from support.paths import ROOT

KEY = "KeyForTheTestsOnly" + "0123456789" * 4  # the client wants 40 characters or more


class Outcome(NamedTuple):
    code: int
    seen: dict[str, Any]
    output: str
    log: str

    @property
    def warnings(self) -> list[str]:
        return [line for line in self.log.splitlines() if " WARNING " in line or " ERROR " in line]


class Desk:
    """Where a test's processes work: everything that they may write lies under ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("home", "tmp", "here", "runs"):
            (root / name).mkdir()

    @property
    def environment(self) -> dict[str, str]:
        root = ROOT
        plain = {key: value for key, value in os.environ.items() if not key.startswith(("WANDB", "XDG_"))}
        return plain | {
            "HOME": str(self.root / "home"),
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),  # an activated environment
            "TMPDIR": str(self.root / "tmp"),
            "PYTHONPATH": str(root),
            "NO_PROXY": "127.0.0.1",
            "NUMBA_CACHE_DIR": str(Path(cache_folder()).parent),  # compiling anew for each home takes half a minute
        }

    def run(self, *runs: dict[str, Any], **environment: str) -> Outcome:
        """Train ``runs`` one after another in one process; a process that never ends is a failure."""
        done = self.script("wandb_client.py", json.dumps(runs), **environment)
        return Outcome(done.returncode, json.loads(done.stdout or "{}"), done.stdout + done.stderr, done.stderr)

    def online(self, address: str, *runs: dict[str, Any], **environment: str) -> Outcome:
        """The same against the server at ``address``, which is told every row soon."""
        quick = {
            "WANDB_BASE_URL": address,
            "WANDB_API_KEY": KEY,
            "WANDB_INIT_TIMEOUT": "30",
            "WANDB_FINISH_TIMEOUT": "30",
            "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "0.2",
        }
        return self.run(*runs, **(quick | environment))

    def script(self, name: str, given: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a script that lies beside this file on what it is ``given``; a warning in it is an error."""
        return subprocess.run(
            [sys.executable, "-W", "error", str(Path(__file__).with_name(name))],
            input=given,
            capture_output=True,
            text=True,
            timeout=300,
            cwd=self.root / "here",
            env=self.environment | environment,
            check=False,
        )

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one of the installed commands: `spadam`, `wandb`."""
        program = str(Path(sys.executable).with_name(arguments[0]))
        return subprocess.run(
            [program, *arguments[1:]],
            cwd=self.root / "here",
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def files(self, *below: str) -> list[str]:
        """Every file and link under the folder ``below``, by its path from there."""
        folder = self.root.joinpath(*below)
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())
