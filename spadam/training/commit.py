"""Which commit of spadam's repository runs here."""

from __future__ import annotations

import functools
import json
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PATIENCE = 5.0
"""Seconds that git has; a training does not wait longer for it."""


@functools.cache
def commit() -> str | None:
    """The hash of the commit, with "-dirty" behind it where the checkout differs from it; None where that is unknown.

    It is asked once in a process: what was imported then is what runs. What was installed from a repository by pip has
    it among its metadata; a wheel, an image, or a machine without git does not know it.
    """
    return _of_checkout(_ROOT) if (_ROOT / ".git").exists() else _of_installation()


def _of_checkout(root: Path) -> str | None:
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _of_installation() -> str | None:
    try:
        told = distribution("spadam").read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    found = json.loads(told) if told else {}
    commit_id = found.get("vcs_info", {}).get("commit_id")
    return None if commit_id is None else str(commit_id)
