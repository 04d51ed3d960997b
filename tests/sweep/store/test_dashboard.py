"""The dashboard's server: the sweep's studies over real HTTP, for this machine and its own pages only."""

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from spadam.spec import InputError
from spadam.sweep.store.dashboard import HOST, open_storage, serve
from support.sweep_bench import Bench

LIST = "/api/studies"


@pytest.fixture
def port(finished: Bench) -> Iterator[int]:
    """Where a dashboard of a finished sweep listens."""
    with open_storage(finished.folder, None) as storage, serve(storage, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def ask(port: int, path: str, method: str = "GET", body: str | None = None, **headers: str) -> tuple[int, bytes]:
    connection = HTTPConnection(HOST, port, timeout=120)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_it_shows_the_studies_of_the_sweep(port: int) -> None:
    status, body = ask(port, LIST)
    names = {study["study_name"] for study in json.loads(body)["study_summaries"]}
    assert status == 200
    assert {"lr-eps", "lr-eps/adam/search-0", "lr-eps/lazy/search-0", "lr-eps/adam/repeat"} <= names
    status, body = ask(port, "/dashboard")
    assert status == 200
    assert b"<html" in body


def test_it_listens_on_this_machine_only(port: int) -> None:
    """127.0.0.2 is this machine too, but another address: a server on all interfaces would answer."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=5)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "127.0.0.1:{port}"}, 200),
        ({"Host": "localhost:{port}"}, 200),
        ({"Host": "rebound.example:{port}"}, 403),
        ({"Host": "localhost:1"}, 200),  # through a tunnel
        ({"Host": "localhost:1", "Origin": "http://localhost:1"}, 200),
        ({"Host": "127.0.0.1:{port}", "Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Host": "127.0.0.1:{port}", "Origin": "http://127.0.0.1:1"}, 403),
        ({"Host": "rebound.example:{port}", "Origin": "http://rebound.example:{port}"}, 403),
        ({"Host": "127.0.0.1:{port}", "Origin": "https://elsewhere.example"}, 403),
        ({"Host": "127.0.0.1:{port}", "Origin": "null"}, 403),
    ],
)
def test_it_answers_only_its_own_pages(port: int, headers: dict[str, str], status: int) -> None:
    given = {key: value.format(port=port) for key, value in headers.items()}
    assert ask(port, LIST, **given)[0] == status
    change = json.dumps({"study_name": "new", "directions": ["minimize"]})
    before = ask(port, LIST)[1]
    made = ask(port, LIST, "POST", change, **given, **{"Content-Type": "application/json"})[0]
    assert made == (201 if status == 200 else 403)
    assert (ask(port, LIST)[1] == before) is (status == 403)


def test_nothing_is_logged(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    ask(port, LIST)
    ask(port, "/nowhere")
    with socket.create_connection((HOST, port)) as gone:
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # goes away with a reset
        gone.sendall(b"GET /api/studies HTTP/1.0\r\n")
    time.sleep(0.3)
    assert tuple(capfd.readouterr()) == ("", "")


def test_a_port_in_use_is_refused(finished: Bench) -> None:
    with socket.create_server((HOST, 0)) as taken, open_storage(finished.folder, None) as storage:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=r"must be free on 127\.0\.0\.1") as refused, serve(storage, port):
            pass
    assert (refused.value.argument, refused.value.value) == ("--port", port)


def test_an_address_is_as_good_as_a_folder(finished: Bench) -> None:
    with open_storage(None, f"sqlite:///{finished.folder / 'sweep.db'}") as storage:
        assert len(storage.get_all_studies()) == 5


def test_what_is_no_sweep_is_refused_and_stays_as_it_is(finished: Bench, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk/sweep.db").write_text("no database, but some text that is long enough to be looked at")
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    for folder, url, rule, remedy in (
        (tmp_path / "nowhere", None, "the folder must be there", "check the path"),
        (tmp_path / "empty", None, "must hold a sweep", "run a sweep first"),
        (finished.out, None, "must hold a sweep", str(finished.folder)),
        (tmp_path / "junk", None, "must be the storage of a sweep", "move it away"),
        (None, None, "shows one storage", "runs/quickstart"),
        (finished.folder, "sqlite:///x.db", "two are given", "--storage"),
        (None, f"sqlite:///{tmp_path / 'x.db'}", "the file must be there", "check the path"),
        (None, "postgresql+psycopg://me:secret@127.0.0.1:1/x", "list of processes", "leave it out"),
        (None, "postgresql+psycopg://me@127.0.0.1:1/x", "it must answer", "check address"),
    ):
        with pytest.raises(InputError) as refused, open_storage(folder, url):
            pass
        assert rule in refused.value.rule
        assert remedy in refused.value.remedy
        assert "secret" not in str(refused.value)
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before
