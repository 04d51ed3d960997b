"""Whether runs can be streamed is asked once and soon; where not, they are kept offline and the user is told."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from spadam.tracking import PUBLIC_ADDRESS, client
from spadam.tracking.server import _proxies
from support.paths import SUPPORT
from support.wandb_desk import KEY, Desk
from support.wandb_server import HOLD, WandbServer

Found = dict[str, Any]
HEADER = "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode()


def ask(desk: Desk, *environments: dict[str, str]) -> list[Found]:
    """What :func:`reach` (or, with SETTLE, :func:`settle`) finds in each environment, one after another."""
    done = desk.script("wandb_reach.py", json.dumps(environments))
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["imported"] is False
    return list(said["found"])


@pytest.fixture
def refusing() -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def dripping() -> Iterator[str]:
    """The address of a server that answers a letter at a time, so that no single wait is long."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            with listening.accept()[0] as connection:
                while not over.wait(0.05):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return

        dripper = threading.Thread(target=drip)
        dripper.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        over.set()
        dripper.join()


def test_a_server_that_takes_the_key_is_reached_and_no_run_is_begun(desk: Desk, server: WandbServer) -> None:
    here = {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY}
    by_reach, by_settle = ask(desk, here, here | {"SETTLE": "online"})
    assert {name: by_reach[name] for name in ("address", "reachable", "key", "reason")} == {
        "address": server.address,
        "reachable": True,
        "key": True,
        "reason": "",
    }
    assert (by_settle["mode"], by_settle["project"], by_settle["said"]) == ("online", "kept", None)
    assert by_reach["children"] == by_settle["children"] == "", "no process of the client"
    assert [(request.operation, request.authorization) for request in server.requests] == [("Viewer", HEADER)] * 2
    assert not any(KEY.encode() in path.read_bytes() for path in desk.root.rglob("*") if path.is_file())


def test_other_modes_stay_and_nobody_is_asked(desk: Desk, server: WandbServer) -> None:
    here = {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY}
    found = ask(desk, *(here | {"SETTLE": mode} for mode in ("offline", "disabled")))
    assert [(each["mode"], each["said"]) for each in found] == [("offline", None), ("disabled", None)]
    assert server.requests == []


def test_address_and_key_are_those_that_the_client_has_stored(desk: Desk, server: WandbServer) -> None:
    settings = desk.root / "home" / ".config" / "wandb" / "settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"[default]\nbase_url = {server.address}\n")
    host = server.address.removeprefix("http://")
    (desk.root / "home" / ".netrc").write_text(f"machine {host}\n  login user\n  password {KEY}\n")
    (desk.root / "home" / ".netrc").chmod(0o600)
    (found,) = ask(desk, {})
    assert (found["address"], found["reachable"], found["key"], found["reason"]) == (server.address, True, True, "")
    assert [request.authorization for request in server.requests] == [HEADER]


def test_without_a_word_the_public_address_is_asked_through_the_proxy(desk: Desk, refusing: str) -> None:
    (found,) = ask(desk, {"HTTPS_PROXY": refusing, "WANDB_API_KEY": KEY})
    assert (found["address"], found["reachable"], found["key"]) == (PUBLIC_ADDRESS, False, True)
    assert found["reason"] == "does not answer (Connection refused)"


def test_a_proxy_of_environment_or_settings_is_asked(desk: Desk, server: WandbServer) -> None:
    far = {"WANDB_BASE_URL": "http://wandb.invalid", "WANDB_API_KEY": KEY}
    found = ask(desk, far | {"HTTP_PROXY": server.address}, far | {"WANDB_HTTP_PROXY": server.address})
    assert [(each["address"], each["reason"]) for each in found] == [("http://wandb.invalid", "")] * 2


@pytest.mark.parametrize(
    ("address", "no_proxy", "asked"),
    [
        ("http://far.example", "", True),
        ("http://localhost:80", "", False),
        ("http://127.0.0.9:80", "", False),
        ("http://10.1.2.3", "10.0.0.0/8", False),
        ("http://10.1.2.3", "far.example, 10.1.2.3", False),
        ("http://11.1.2.3", "10.0.0.0/8,x/y", True),
    ],
)
def test_the_client_asks_no_proxy_for_this_machine_and_the_networks_that_are_excepted(
    monkeypatch: pytest.MonkeyPatch, address: str, no_proxy: str, asked: bool
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example")
    monkeypatch.setenv("no_proxy", no_proxy)
    access = client.Access(address, key=False, trouble="", headers={}, proxy=None, verified=True)
    assert ("http" in _proxies(access)) is asked


def test_a_certificate_is_asked_for_unless_the_clients_settings_say_no(desk: Desk) -> None:
    certificate = SUPPORT / "support" / "certificate.pem"  # its own, nobody else's
    with WandbServer(certificate) as server:
        here = {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY}
        trusting = {"SSL_CERT_FILE": str(certificate)}
        unknown, trusted, unasked = ask(desk, here, here | trusting, here | {"WANDB_INSECURE_DISABLE_SSL": "true"})
    assert (unknown["reachable"], "certificate verify failed" in unknown["reason"]) == (False, True)
    assert (trusted["reason"], unasked["reason"]) == ("", "")
    assert [request.authorization for request in server.requests] == [HEADER] * 2


def test_a_server_that_takes_no_runs_is_named(desk: Desk, server: WandbServer) -> None:
    expected = [
        (401, True, "refuses the API key (401)"),
        (403, True, "refuses the API key (403)"),
        (502, False, "answers 502 Bad Gateway"),
        (404, False, "answers 404 Not Found"),
        (302, False, "answers 302 Found"),  # the key is not carried to another place
        (200, False, "answers, but not as a W&B server does"),
    ]
    statuses = [status for status, *_ in expected]
    server.fault = lambda request: statuses.pop(0)
    found = ask(desk, *[{"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY}] * len(expected))
    assert [(each["reachable"], each["reason"]) for each in found] == [(may, reason) for _, may, reason in expected]
    assert all(each["key"] for each in found)


def test_a_key_that_belongs_to_nobody_is_named(
    desk: Desk, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_on_Viewer", lambda _: {"viewer": None})
    (found,) = ask(desk, {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY})
    assert (found["reachable"], found["key"], found["reason"]) == (True, True, "refuses the API key")


def test_a_token_is_a_key_that_only_the_client_can_use(desk: Desk, server: WandbServer) -> None:
    server.fault = lambda request: 401  # as it answers one without a key
    (desk.root / "home" / "token").write_text("token")
    token = {"WANDB_IDENTITY_TOKEN_FILE": str(desk.root / "home" / "token")}
    (found,) = ask(desk, {"WANDB_BASE_URL": server.address} | token)
    assert (found["reachable"], found["key"], found["reason"]) == (True, True, "")
    assert {request.authorization for request in server.requests} == {None}


def test_without_a_key_runs_are_kept_offline(desk: Desk, server: WandbServer) -> None:
    here = {"WANDB_BASE_URL": server.address, "SETTLE": "online"}
    none, short = ask(desk, here, here | {"WANDB_API_KEY": "tooshort"})
    assert none["said"] == (
        f"W&B: {server.address} answers, but no API key is known for it (`wandb login` stores one, WANDB_API_KEY gives "
        f"one); runs are kept offline, `WANDB_BASE_URL={server.address} spadam sync DIR` uploads them"
    )
    assert "answers, but WANDB_API_KEY invalid: API key must have 40+ characters" in short["said"]
    assert none["mode"] == short["mode"] == "offline"
    assert {request.authorization for request in server.requests} == {None}


def test_a_server_that_is_not_there_or_never_answers_costs_little(
    desk: Desk, server: WandbServer, refusing: str, dripping: str
) -> None:
    server.fault = lambda request: HOLD
    key = {"WANDB_API_KEY": KEY}
    gone, silent, drips = ask(
        desk,
        {"WANDB_BASE_URL": refusing, "SETTLE": "online"} | key,
        {"WANDB_BASE_URL": server.address, "SETTLE": "online"} | key,
        {"WANDB_BASE_URL": dripping, "SECONDS": "0.5"} | key,
    )
    assert (gone["mode"], silent["mode"], drips["reachable"]) == ("offline", "offline", False)
    assert gone["said"].startswith(f"W&B: {refusing} does not answer (Connection refused); runs are kept offline")
    assert f"{server.address} does not answer (timed out); " in silent["said"]
    assert drips["reason"] == "does not answer (timed out)"
    assert silent["seconds"] > 2.5
    assert drips["seconds"] > 0.4
    assert max(each["seconds"] for each in (gone, silent, drips)) < 30  # they go on for ever


def test_an_address_that_is_none_is_told(desk: Desk) -> None:
    (found,) = ask(desk, {"WANDB_BASE_URL": "nonsense"})
    assert (found["address"], found["reachable"], found["key"]) == ("nonsense", False, False)
    assert found["reason"].startswith("cannot be asked (")
    assert "\n" not in found["reason"]
