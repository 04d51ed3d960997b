"""What the image installs is what pyproject.toml asks for; told without a network, `make lock` mends it."""

import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.docker.build import locked
from support.paths import ROOT

DOCKER = ROOT / "docker"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = ("cluster", "postgres")


def asked() -> Iterator[Requirement]:
    for text in (
        *PROJECT["dependencies"],
        *(text for extra in EXTRAS for text in PROJECT["optional-dependencies"][extra]),
    ):
        yield Requirement(text)


def entries(name: str) -> list[str]:
    """What a lock installs, each with the lines of its hashes."""
    text = (DOCKER / name).read_text()
    return [entry for entry in re.split(r"\n(?=[a-z])", text) if not entry.startswith("#")]


@pytest.mark.parametrize("requirement", list(asked()), ids=str)
def test_the_lock_has_a_release_that_is_asked_for(requirement: Requirement) -> None:
    found = locked().get(canonicalize_name(requirement.name))
    assert found is not None
    assert requirement.specifier.contains(found)


def test_the_lock_has_what_extras_of_requirements_bring() -> None:
    assert locked()["psycopg-binary"] == locked()["psycopg"]


def test_the_lock_has_the_releases_that_the_tests_run_with() -> None:
    """Results are the same to the last bit only with the same releases."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    tested = {canonicalize_name(name): version for name, version in pinned.items()}
    both = tested.keys() & locked().keys()
    assert {name: locked()[name] for name in both} == {name: tested[name] for name in both}
    assert {"torch", "numpy", "optuna", "ray"} <= both


@pytest.mark.parametrize("name", ["requirements.lock", "build.lock"])
def test_every_release_of_a_lock_has_its_hashes(name: str) -> None:
    for entry in entries(name):
        assert re.match(r"[a-z0-9][a-z0-9._-]*==\S+( ; .*)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n?)+$", entry), (
            entry
        )


def test_the_lock_of_the_build_has_what_builds_the_wheel() -> None:
    (wanted,) = (
        Requirement(text) for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    )
    (version,) = re.findall(rf"^{wanted.name}==(\S+)", (DOCKER / "build.lock").read_text(), re.MULTILINE)
    assert wanted.specifier.contains(version)
