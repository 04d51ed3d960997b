"""What is secret is seen nowhere; what is not, is seen on this machine only."""

import json
import subprocess
import time
import urllib.request
from typing import Any

import pytest

from support.docker.build import CANARY
from support.docker.ride import Ridden
from support.docker.stack import SECRETS, Stack

CANARIES = [*SECRETS.values(), CANARY]

SERVICES = ("db", "head", "worker", "dashboard")


def told(text: str | bytes) -> list[str]:
    """The secrets that ``text`` tells."""
    data = text.encode() if isinstance(text, str) else text
    return [canary for canary in CANARIES if canary.encode() in data]


def test_no_layer_of_the_image_has_one(stack: Stack) -> None:
    longest = max(map(len, CANARIES))
    with subprocess.Popen(["docker", "save", stack.image], stdout=subprocess.PIPE) as saved:
        assert saved.stdout is not None
        before, read = b"", 0
        while block := saved.stdout.read(1 << 24):
            assert told(before + block) == []
            before, read = block[-longest:], read + len(block)
    assert saved.returncode == 0
    assert read > 1e9
    assert told(stack.docker("history", "--no-trunc", stack.image) + stack.docker("inspect", stack.image)) == []


def test_no_container_shows_one(ridden: Ridden, stack: Stack) -> None:
    containers = [c for service in SERVICES for c in stack.containers(service)] + stack.containers(
        "worker", stack.joined
    )
    assert len(containers) >= len(SERVICES) + 2
    assert told(json.dumps(containers)) == []


def test_no_command_line_showed_one(ridden: Ridden) -> None:
    assert "ray start" in ridden.processes
    assert told(ridden.processes) == []


def test_nobody_has_said_one(ridden: Ridden, stack: Stack) -> None:
    assert told(ridden.said) == []
    for service in ("head", "worker"):  # Ray's own logs
        logs = stack.compose("exec", "-T", service, "sh", "-c", "cat /tmp/ray/session_*/logs/*.*")
        assert logs
        assert told(logs) == []


def test_the_agent_has_the_key_of_wandb_from_its_file(stack: Stack) -> None:
    asked = "import os; print(os.environ['WANDB_API_KEY'] == open('/run/secrets/wandb_api_key').read())"
    said = stack.compose("run", "--rm", "-T", "--no-deps", "sweep", "python", "-c", asked)
    assert said.strip() == "True"


def test_the_dashboard_is_published_on_the_loopback_interface_only(ridden: Ridden, stack: Stack) -> None:
    (container,) = stack.containers("dashboard")
    ports = container["NetworkSettings"]["Ports"]["8080/tcp"]
    assert [port["HostIp"] for port in ports] == ["127.0.0.1"]
    with urllib.request.urlopen(f"http://127.0.0.1:{ports[0]['HostPort']}/api/studies", timeout=20) as answer:
        studies: Any = json.load(answer)
    assert "docker" in json.dumps(studies)
    others = [c for service in ("db", "head", "worker") for c in stack.containers(service)]
    assert not any(binding for c in others for binding in c["NetworkSettings"]["Ports"].values())


def test_who_has_no_token_does_not_join(ridden: Ridden, stack: Stack) -> None:
    (head,) = stack.containers("head")
    network = next(iter(head["NetworkSettings"]["Networks"]))
    token = stack.folder / "secrets" / "ray_token"
    key = ("--env=RAY_AUTH_MODE=token", "--env=RAY_AUTH_TOKEN_PATH=/token", f"--volume={token}:/token:ro")
    for given, code in (((), 1), (key, 0)):
        words = ["docker", "run", "--rm", "--init", "--tmpfs=/tmp", "--shm-size=256m", f"--network={network}", *given]
        command = ["ray", "start", "--address=head:6379", "--num-cpus=0", "--object-store-memory=100000000"]
        joined = subprocess.run([*words, stack.image, *command], capture_output=True, text=True, check=False)
        assert joined.returncode == code, joined.stdout + joined.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_who_runs_is_said_to_be_well(service: str, ridden: Ridden, stack: Stack) -> None:
    """Health is looked at now and then: who was killed a moment ago is still `starting`."""
    end = time.monotonic() + 90
    while True:
        said = {c["State"]["Health"]["Status"] for c in stack.containers(service)}
        if said == {"healthy"}:
            break
        assert said <= {"healthy", "starting"}
        assert time.monotonic() < end
        time.sleep(1)
