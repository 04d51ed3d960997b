"""The files of docker/, as far as they can be checked without an engine."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from spadam.sweep.running.cluster.resources import parse_share
from support.paths import ROOT

DOCKER = ROOT / "docker"
ENGINE = ROOT / "tests" / "support" / "docker"

PATH = os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", "")))

SETS = [
    ("compose.yaml",),
    ("compose.yaml", "compose.gpu.yaml"),
    ("compose.yaml", "compose.hosts.yaml"),
    ("compose.yaml", "compose.hosts.yaml", "compose.gpu.yaml"),
    ("compose.worker.yaml",),
    ("compose.worker.yaml", "compose.gpu.yaml"),
]
"""What the documents give together."""


def checked(*words: str | Path, **more: str) -> tuple[int, str]:
    """How a program ended, and what it said."""
    program = shutil.which(words[0], path=PATH)
    assert program is not None, f"{words[0]} is not installed"
    done = subprocess.run(
        [program, *words[1:]], capture_output=True, text=True, check=False, env={**os.environ, **more}
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("path", [DOCKER / "Dockerfile", ENGINE / "postgres" / "Dockerfile"], ids=str)
def test_hadolint_knows_no_mistake_in(path: Path) -> None:
    assert checked("hadolint", path) == (0, "")


@pytest.mark.parametrize("path", [*sorted(DOCKER.glob("*.sh")), *sorted(ENGINE.rglob("*.sh"))], ids=str)
def test_shellcheck_knows_no_mistake_in(path: Path) -> None:
    assert checked("shellcheck", path) == (0, "")


def compose(files: tuple[str, ...], secrets: Path, *words: str) -> tuple[int, str]:
    variables = {"SECRETS": str(secrets), "HEAD": "host:6379", "HEAD_IP": "10.0.0.1", "WORKER_GPUS": "1"}
    named = [word for name in files for word in ("--file", str(DOCKER / name))]
    return checked("docker", "compose", *named, "--profile", "sweep", "config", *words, **variables)


if shutil.which("docker") and checked("docker", "compose", "version")[0] == 0:  # it needs no engine

    @pytest.mark.parametrize("files", SETS, ids="+".join)
    def test_compose_takes(files: tuple[str, ...], tmp_path: Path) -> None:
        assert compose(files, tmp_path, "--quiet") == (0, "")


def services(name: str = "compose.yaml") -> dict[str, Any]:
    text = (DOCKER / name).read_text().replace("!reset", "")  # compose's own: what the file below says is left out
    found: dict[str, Any] = YAML(typ="safe", pure=True).load(text)["services"]
    return found


@pytest.mark.parametrize("name", services())
def test_every_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = services()[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service["init"] is True
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert "privileged" not in service


def test_nothing_is_published_but_on_the_loopback_interface() -> None:
    published = [
        port
        for name in ("compose.yaml", "compose.hosts.yaml")
        for s in services(name).values()
        for port in s.get("ports", ())
    ]
    assert len(published) == 2
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_no_secret_stands_in_an_environment() -> None:
    for service in services().values():
        for variable, value in service.get("environment", {}).items():
            secret = any(word in variable for word in ("PASSWORD", "TOKEN", "KEY"))
            assert not secret or str(value) == "token" or str(value).startswith("/run/secrets/")


def test_a_training_has_its_share_by_a_variable() -> None:
    (given,) = (word for word in services()["sweep"]["command"] if "per-trial" in word)
    assert given.startswith("--per-trial=${PER_TRIAL:-")
    parse_share(given.partition(":-")[2].rstrip("}"))


def test_only_what_is_built_from_goes_to_the_engine() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert kept == {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "spadam",
        "docker/*.lock",
        "docker/*.sh",
        "docker/dashboard.py",
    }
