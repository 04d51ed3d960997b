"""Optuna's dashboard over a sweep's storage, for this machine alone.

The dashboard knows no users, and a score of its addresses change the storage. So it listens on the loopback interface
only, and answers nothing that a page of another site had a browser ask.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna.storages import BaseStorage
from optuna_dashboard import wsgi

from spadam.spec import InputError
from spadam.sweep.store.connection import open_address, open_file
from spadam.sweep.store.environment import given_or_set
from spadam.sweep.store.home import FILE, pointed_to

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

HOST = "127.0.0.1"


@contextlib.contextmanager
def open_storage(folder: Path | None, url: str | None) -> Iterator[BaseStorage]:
    """The storage of the sweep in ``folder``, or the one at the address ``url``; exactly one of them is given.

    Raises :class:`InputError` when there is none.
    """
    if (folder is None) == ((url if folder else given_or_set(url)) is None):
        rule = "the dashboard shows one storage" + ("" if folder is None else ", and two are given")
        raise InputError(
            "SPEC|FOLDER", None, rule, "give the file or the folder of a sweep, such as runs/quickstart, or --storage"
        )
    if folder is None:
        with open_address(url) as storage:
            yield storage
        return
    if (told := pointed_to(folder)) is not None:
        with open_address(told[0]) as storage:
            yield storage
        return
    with open_file(_database(folder)) as storage:
        yield storage


def _database(folder: Path) -> Path:
    path = folder / FILE
    if not path.is_file():
        below = sorted(found.parent for found in folder.glob(f"*/{FILE}"))
        remedy = f"choose one of: {', '.join(map(str, below))}" if below else "run a sweep first, or check the path"
        rule = f"the folder must hold a sweep ({FILE})" if folder.is_dir() else "the folder must be there"
        raise InputError("SPEC|FOLDER", str(folder), rule, remedy)
    return path


@contextlib.contextmanager
def serve(storage: BaseStorage, port: int) -> Iterator[WSGIServer]:
    """A server of the dashboard that listens on ``port`` of the loopback interface; 0 takes any free one.

    It answers once its ``serve_forever`` runs. Raises :class:`InputError` when it cannot listen there.
    """
    try:
        server = make_server(HOST, port, _guard(wsgi(storage)), server_class=_Server, handler_class=_Handler)
    except OSError as error:
        rule = f"it must be free on {HOST} ({error.strerror})"
        raise InputError("--port", port, rule, "choose another port; 0 takes any free one") from None
    with server:
        yield server


class _Server(ThreadingMixIn, WSGIServer):
    """Answers every request in a thread; none of them keeps the program from ending."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a browser that goes away in the middle of an answer is no news."""


class _Handler(WSGIRequestHandler):
    """Keeps no log of requests."""

    def log_message(self, format: str, *args: object) -> None:
        """Do nothing."""


def _guard(app: WSGIApplication) -> WSGIApplication:
    """``app`` for requests that come from its own pages, or from no page.

    A page of another site can have a browser send requests here. Such a request carries that site's name: as Origin, or
    as Host, when the name was made to mean this machine. Any port may stand beside this machine's names: the browser
    may be at the other end of a tunnel.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host, origin = environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN")
        if host.partition(":")[0] in (HOST, "localhost") and (origin is None or urlsplit(origin).netloc == host):
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [b"This dashboard answers only its own pages.\n"]

    return answer
