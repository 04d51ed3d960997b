"""A server on loopback that answers what a real wandb client asks in online mode, and keeps what it was told.

The client is the real one; only the far end is made up. It takes faults: ``server.fault`` may give a status to answer
with instead, or ``HOLD`` to take a request and never answer it.
"""

from __future__ import annotations

import gzip
import json
import re
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

HOLD = -1
HISTORY = "wandb-history.jsonl"
SUMMARY = "wandb-summary.json"
OPERATION = re.compile(r"\b(?:query|mutation)\s+(\w+)")


@dataclass
class SeenRun:
    """One run, as the client described it: its upserts' variables, streamed files by line, uploaded ones, its end."""

    upserts: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, dict[int, str]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    complete: bool = False
    exit_code: int | None = None

    @property
    def rows(self) -> list[dict[str, Any]]:
        lines = self.files.get(HISTORY, {})
        assert sorted(lines) == list(range(len(lines))), "a line of the history is missing"
        return [json.loads(lines[n]) for n in sorted(lines)]

    @property
    def summary(self) -> dict[str, Any]:
        lines = self.files[SUMMARY]
        return dict(json.loads(lines[max(lines)]))

    @property
    def config(self) -> dict[str, Any]:
        sent = json.loads(self.said("config"))
        return {key: entry["value"] for key, entry in sent.items() if key != "_wandb"}

    def said(self, name: str) -> Any:
        """The latest value that an upsert gave to ``name``."""
        return [upsert[name] for upsert in self.upserts if upsert.get(name) is not None][-1]


@dataclass
class Seen:
    """One request as it came in."""

    path: str
    operation: str | None
    authorization: str | None
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


class WandbServer:
    """Listens from ``with`` to the end of its block; ``address`` is where, ``runs`` what it knows by run id.

    With ``certificate``, a file that holds it and its key, it speaks TLS. ``views`` are the workspaces and reports that
    it has, by kind and name. An agent that asks is given ``sweep``, the YAML of one, and then ``commands``, one by one.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        self.runs: dict[str, SeenRun] = {}
        self.requests: list[Seen] = []
        self.not_understood: list[str] = []
        self.artifacts: list[str] = []
        self.projects: set[str] = set()
        self.views: dict[tuple[str, str], dict[str, Any]] = {}
        self.sweep, self.commands, self.asked = "", list[dict[str, Any]](), list[str]()
        self.fault: Callable[[Seen], int | None] = lambda request: None
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        scheme = "http" if certificate is None else "https"
        self.address = f"{scheme}://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> WandbServer:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    def leave(self) -> None:
        """Be gone for whoever asks from now on."""
        threading.Thread(target=self._http.server_close, daemon=True).start()

    def answer(self, request: Seen) -> tuple[int, object]:
        """The status and the body for a request that is not a fault."""
        stream = re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", request.path)
        if stream:
            self._keep(self.runs.setdefault(stream[1], SeenRun()), json.loads(request.text or "{}"))
            return 200, {"exitcode": None, "limits": {}}
        if request.path == "/graphql":
            variables = json.loads(request.text).get("variables") or {}
            reply = getattr(self, f"_on_{request.operation}", None)
            if reply is not None:
                return 200, {"data": reply(variables)}
            self.not_understood.append(str(request.operation))
            return 200, {"errors": [{"message": f"{request.operation} is not known here"}]}
        upload = re.fullmatch(r"/uploads/([^/]+)/(.+)", request.path)
        if upload:
            self.runs[upload[1]].uploads[upload[2]] = request.body
            return 200, {}
        return 404, {}

    @staticmethod
    def _keep(run: SeenRun, chunk: dict[str, Any]) -> None:
        for name, part in (chunk.get("files") or {}).items():
            lines = run.files.setdefault(name, {})
            for n, line in enumerate(part["content"], start=part["offset"]):
                assert lines.get(n, line) == line or name != HISTORY, "a line of the history came twice, and differs"
                lines[n] = line
        if chunk.get("complete"):
            run.complete, run.exit_code = True, chunk.get("exitcode")

    def _on_ServerFeaturesQuery(self, _: dict[str, Any]) -> object:
        return {"serverInfo": {"features": []}}

    def _on_Viewer(self, _: dict[str, Any]) -> object:
        name = "someone"
        return {
            "viewer": {
                "id": name,
                "entity": name,
                "username": name,
                "email": f"{name}@localhost",
                "flags": "{}",
                "teams": {"edges": []},
            }
        }

    def _on_RunResumeStatus(self, variables: dict[str, Any]) -> object:
        run = self.runs.get(variables["name"])
        if run is None:
            return {"model": None}
        history, summary = (run.files.get(name, {}) for name in (HISTORY, SUMMARY))
        return {
            "model": {
                **_project(variables),
                "bucket": {
                    "id": variables["name"],
                    "name": variables["name"],
                    "displayName": variables["name"],
                    "tags": [],
                    "notes": None,
                    "config": run.said("config"),
                    "summaryMetrics": summary[max(summary)] if summary else "{}",
                    "historyLineCount": len(history),
                    "eventsLineCount": 0,
                    "logLineCount": 0,
                    "historyTail": json.dumps([history[max(history)]] if history else []),
                    "eventsTail": "[]",
                    "wandbConfig": json.dumps({"t": 1}),
                },
            }
        }

    def _on_UpsertBucket(self, variables: dict[str, Any]) -> object:
        name = variables["name"]
        self.projects.add(variables["project"])
        inserted = name not in self.runs
        run = self.runs.setdefault(name, SeenRun())
        run.upserts.append(variables)
        return {
            "upsertBucket": {
                "inserted": inserted,
                "bucket": {
                    "id": name,
                    "name": name,
                    "displayName": variables.get("displayName") or name,
                    "description": None,
                    "sweepName": None,
                    "config": variables.get("config") or "{}",
                    "historyLineCount": len(run.files.get(HISTORY, {})),
                    "project": _project(variables),
                },
            }
        }

    def _on_View(self, variables: dict[str, Any]) -> object:
        if variables["name"] not in self.projects:
            return {"project": None}
        view = self.views.get((variables["viewType"], variables["viewName"]))
        edges = [] if view is None else [{"node": {"id": view["id"], "displayName": view["displayName"]}}]
        return {"project": {"id": variables["name"], "allViews": {"edges": edges}}}

    def _on_UpsertView2(self, variables: dict[str, Any]) -> object:
        key = variables["type"], variables["name"]
        there = self.views.get(key)
        assert variables["id"] == (there and there["id"]), "a view is replaced by its id only"
        self.views[key] = variables | {"id": f"View{len(self.views)}==" if there is None else there["id"]}
        view = {"id": self.views[key]["id"], "name": variables["name"]}
        return {"upsertView": {"view": view, "inserted": there is None}}

    def _on_SweepWithRuns(self, variables: dict[str, Any]) -> object:
        kept = {"id": variables["sweep"], "name": variables["sweep"], "config": self.sweep, "runs": {"edges": []}}
        return {"project": {"sweep": kept}}

    def _on_CreateAgent(self, _: dict[str, Any]) -> object:
        return {"createAgent": {"agent": {"id": "agent"}}}

    def _on_Heartbeat(self, _: dict[str, Any]) -> object:
        commands: list[dict[str, Any]] = []
        if all(name in self.runs and self.runs[name].complete for name in self.asked):  # one after another
            commands = [self.commands.pop(0)] if self.commands else [{"type": "exit"}]
            self.asked += [command["run_id"] for command in commands if "run_id" in command]
        return {"agentHeartbeat": {"agent": {"id": "agent"}, "commands": json.dumps(commands)}}

    def _on_ArtifactType(self, _: dict[str, Any]) -> object:
        return {"project": {"artifact": None}}

    def _on_CreateArtifact(self, variables: dict[str, Any]) -> object:
        """A table is an artifact too; one whose content is known already is not sent for."""
        name = variables["input"]["artifactCollectionName"]
        self.artifacts.append(name)
        kept = {"id": name, "state": "COMMITTED", "artifactSequence": {"latestArtifact": {"id": name}}}
        return {"createArtifact": {"artifact": kept}}

    def _on_CreateRunFiles(self, variables: dict[str, Any]) -> object:
        run = variables["run"]
        files = [{"name": name, "uploadUrl": f"{self.address}/uploads/{run}/{name}"} for name in variables["files"]]
        return {"createRunFiles": {"runID": run, "uploadHeaders": [], "files": files}}


def _project(variables: dict[str, Any]) -> dict[str, Any]:
    entity = variables.get("entity") or "someone"
    return {"id": variables["project"], "name": variables["project"], "entity": {"id": entity, "name": entity}}


def _handler(server: WandbServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:  # the client leaves with connections open
                self.close_connection = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            path = urlsplit(self.path).path  # a proxy is asked with the whole address
            found = OPERATION.search(json.loads(body)["query"]) if path == "/graphql" else None
            seen = Seen(path, found and found[1], self.headers.get("Authorization"), body)
            with server.lock:
                server.requests.append(seen)
                status = server.fault(seen)
                code, value = server.answer(seen) if status is None else (status, {"error": "made up"})
            if code == HOLD:
                server.closing.wait()
                return
            content = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if 300 <= code < 400:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(content)

        do_PUT = do_POST
        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
