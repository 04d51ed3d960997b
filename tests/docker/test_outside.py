"""What the host sees of the services: who runs, with which rights, and where somebody listens."""

import json
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from support.docker.ride import Ridden
from support.docker.stack import SERVICES, Stack


def processes(stack: Stack, container: dict[str, Any]) -> list[dict[str, str]]:
    """What the kernel says of each process of ``container``."""
    found = []
    for pid in stack.docker("top", container["Id"], "-eo", "pid").split()[1:]:
        try:
            status = Path("/proc", pid, "status").read_text()
        except OSError:
            continue  # it has ended
        found.append({key: value.strip() for key, _, value in (line.partition(":") for line in status.splitlines())})
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_no_process_is_root_or_can_become_it(service: str, ridden: Ridden, stack: Stack) -> None:
    for container in stack.containers(service):
        there = processes(stack, container)
        assert there
        for process in there:
            name = f"{service}: {process['Name']}"
            assert "0" not in process["Uid"].split(), name
            assert {int(process[key], 16) for key in ("CapEff", "CapPrm", "CapBnd")} == {0}, name
            assert process["NoNewPrivs"] == "1", name


@pytest.mark.parametrize("service", SERVICES)
def test_the_root_file_system_is_written_by_nobody(service: str, ridden: Ridden, stack: Stack) -> None:
    words = stack.words("exec", "-T", service, "sh", "-c", ": > /srv/written || : > /usr/written")
    done = subprocess.run(words, env=stack.environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Read-only file system" in done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_what_it_may_take_of_the_host_is_limited(service: str, ridden: Ridden, stack: Stack) -> None:
    for container in stack.containers(service):
        assert container["HostConfig"]["Memory"] > 0
        assert container["HostConfig"]["PidsLimit"] > 0


def test_the_dashboard_is_published_on_the_loopback_interface_only(ridden: Ridden, stack: Stack) -> None:
    (container,) = stack.containers("dashboard")
    ports = container["NetworkSettings"]["Ports"]["8080/tcp"]
    assert [port["HostIp"] for port in ports] == ["127.0.0.1"]
    with urllib.request.urlopen(f"http://127.0.0.1:{ports[0]['HostPort']}/api/studies", timeout=20) as answer:
        studies: Any = json.load(answer)
    assert "docker" in json.dumps(studies)
    others = [c for service in ("db", "head", "worker") for c in stack.containers(service)]
    assert not any(binding for c in others for binding in c["NetworkSettings"]["Ports"].values())


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
