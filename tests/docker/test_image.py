"""What the image is: its user, its labels, what it can do where nothing may be written."""

import json
import subprocess
from typing import Any

import pytest

import spadam
from support.docker.build import locked, plain
from support.docker.stack import Stack

BOUND = ("--rm", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp")


@pytest.fixture(scope="module")
def configuration(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stack.docker("inspect", stack.image))[0]["Config"]
    return found


def test_it_says_which_release_it_is(configuration: dict[str, Any]) -> None:
    labels = configuration["Labels"]
    assert labels["org.opencontainers.image.version"] == spadam.__version__
    assert labels["org.opencontainers.image.revision"] not in ("", "unknown")


def test_its_user_is_a_number_and_not_root(configuration: dict[str, Any]) -> None:
    assert configuration["User"] == "10001:10001"


def test_it_holds_the_packages_of_the_lock_and_no_others(stack: Stack) -> None:
    """Each is named by its hash there, so an image that is built again holds the same ones."""
    asked = "import importlib.metadata as m, json; print(json.dumps([(d.name, d.version) for d in m.distributions()]))"
    there = {
        plain(name): version
        for name, version in json.loads(stack.docker("run", *BOUND, stack.image, "python", "-c", asked))
    }
    assert there.pop("spadam") == spadam.__version__
    del there["pip"]  # the base image's
    assert there == locked()


def test_it_answers_where_nothing_may_be_written_and_no_name_is_known(stack: Stack) -> None:
    said = stack.docker("run", *BOUND, "--network=none", "--user=4711:4711", stack.image, "list", "optimizers")
    assert "lazy_adam" in said


def test_what_python_reads_was_compiled_when_it_was_built(stack: Stack) -> None:
    asked = "import spadam.cli, torch, ray; print([m.__cached__ for m in (spadam.cli, torch, ray)])"
    there = stack.docker("run", *BOUND, stack.image, "python", "-c", asked)
    for path in json.loads(there.replace("'", '"')):
        stack.docker("run", *BOUND, "--entrypoint=test", stack.image, "-s", path)


def test_it_ends_at_once_when_it_is_told_to(stack: Stack) -> None:
    name = f"{stack.project}-told"
    asked = (
        "import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(5)); "
        "print('ready', flush=True); time.sleep(60)"
    )
    words = ["docker", "run", "--name", name, *BOUND, stack.image, "python", "-c", asked]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        stack.docker("stop", "--time=30", name)
        assert running.wait(30) == 5
