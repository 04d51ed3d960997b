"""What is secret is seen nowhere, and without it nobody joins."""

import json
import subprocess
from pathlib import Path

from support.docker.build import CANARY
from support.docker.ride import Ridden
from support.docker.stack import SECRETS, SERVICES, Stack

CANARIES = [*SECRETS.values(), CANARY]


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
    lines = "\n".join(ridden.processes)
    assert "ray start" in lines
    assert told(lines) == []


def test_nobody_has_said_one(ridden: Ridden, stack: Stack) -> None:
    assert told(ridden.said) == []
    for service in ("head", "worker"):  # Ray's own logs
        logs = stack.compose("exec", "-T", service, "sh", "-c", "cat /tmp/ray/session_*/logs/*.*")
        assert logs
        assert told(logs) == []


def test_no_file_of_the_sweep_tells_one(home: Path) -> None:
    files = [path for path in home.rglob("*") if path.is_file()]
    assert {"result.json", "metrics.jsonl", "report.html", "storage.json"} <= {path.name for path in files}
    assert [str(path) for path in files if told(path.read_bytes())] == []


def test_no_node_has_the_key_of_wandb_or_the_databases_password(ridden: Ridden, stack: Stack) -> None:
    """The agent hands its key on; nobody but it and the dashboard speaks to the database."""
    for service in ("head", "worker"):
        assert stack.compose("exec", "-T", service, "ls", "/run/secrets").split() == ["ray_token"]


def test_the_agent_has_the_key_of_wandb_from_its_file(stack: Stack) -> None:
    asked = "import os; print(os.environ['WANDB_API_KEY'] == open('/run/secrets/wandb_api_key').read())"
    said = stack.compose("run", "--rm", "-T", "--no-deps", "sweep", "python", "-c", asked)
    assert said.strip() == "True"


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
