"""Runs of the real client against a server on loopback: what arrives, and what a training does when nothing can."""

from __future__ import annotations

import base64
import io
import socket
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spadam.training.ledger import rows
from support.wandb_desk import KEY, Desk, Outcome
from support.wandb_rows import STEP, shown
from support.wandb_server import HOLD, Seen, WandbServer

ONLINE = {"mode": "online", "project": "sparse"}
LOGGED = [{"epoch": n // 10, "step": 5 * n, "train/loss_stream": 1 / (n + 1)} for n in range(50)]


def a_run(desk: Desk, run_id: str, **more: Any) -> dict[str, Any]:
    return {"id": run_id, "folder": str(desk.root / "runs" / run_id), "spec": ONLINE, "rows": LOGGED} | more


def recorded(desk: Desk, name: str) -> list[dict[str, Any]]:
    return rows(desk.root / "runs" / name / "metrics.jsonl")


def arrived(server: WandbServer, name: str) -> list[dict[str, Any]]:
    """The rows of a run at the server, under the names that the ledger has."""
    plain = [{key: value for key, value in row.items() if key[0] != "_"} for row in server.runs[name].rows]
    return [{"step" if key == STEP else key: value for key, value in row.items()} for row in plain]


def assert_went_on_without(done: Outcome, desk: Desk, reason: str, *names: str) -> None:
    """The training came to its end with every row, and one warning said why it was not shown and where the rows are."""
    assert done.code == 0
    assert [reason in warning and "metrics.jsonl" in warning for warning in done.warnings] == [True]
    for name in names:
        assert recorded(desk, name) == LOGGED


def test_every_row_arrives_once_and_in_order_with_all_that_describes_the_run(desk: Desk, server: WandbServer) -> None:
    config = {"optimizer": {"name": "adam", "lr": 1e-3}, "seed": 0}
    described = {"config": config, "group": "lr-eps", "job_type": "adam", "tags": ["digits"], "name": "adam 0"}
    done = desk.online(
        server.address,
        a_run(desk, "r0", **described, summary={"status": "complete", "test/fvu": 0.5}),
        a_run(desk, "r1", exit_code=1),
    )
    assert (done.code, done.warnings, server.not_understood) == (0, [], [])
    assert arrived(server, "r0") == arrived(server, "r1") == recorded(desk, "r0") == LOGGED
    run = server.runs["r0"]
    assert run.config == config
    assert (run.said("project"), run.said("groupName"), run.said("jobType")) == ("sparse", "lr-eps", "adam")
    assert (run.said("tags"), run.said("displayName")) == (["digits"], "adam 0")
    assert (run.summary["status"], run.summary["test/fvu"]) == ("complete", 0.5)
    assert [(server.runs[name].complete, server.runs[name].exit_code) for name in ("r0", "r1")] == [
        (True, 0),
        (True, 1),
    ]


def test_histograms_and_pictures_arrive_against_the_same_axis(desk: Desk, server: WandbServer) -> None:
    grey = [[0, 7, 255], [9, 8, 0]]
    colours = [[[255, 0, 1], [0, 0, 0]], [[3, 2, 1], [9, 9, 9]]]
    histogram = {"edges": [-2.0, -1.0, 0.0], "counts": [5, 3], "never": 4}
    logged = [{"step": n, "val/fvu": 0.5, "sparsity/density_histogram": histogram} for n in (0, 20)]
    drawn = {"pictures/decoder": colours, "pictures/reconstructions": grey}
    done = desk.online(server.address, a_run(desk, "r0", rows=logged, pictures=drawn), a_run(desk, "r1", pictures={}))
    assert (done.code, done.warnings, server.not_understood) == (0, [], [])
    assert recorded(desk, "r0") == logged, "a picture is no row"
    assert arrived(server, "r1") == LOGGED

    run = server.runs["r0"]
    *measured, pictured = [shown(row) for row in run.rows]
    assert [row[STEP] for row in (*measured, pictured)] == [0, 20, 21]
    for row in measured:
        assert row["sparsity/density_histogram"] == {"_type": "histogram", "values": [5, 3], "bins": [-2, -1, 0]}
    assert set(pictured) == {STEP, *drawn}
    for name, picture in drawn.items():
        uploaded = run.uploads[pictured[name]["path"]]
        assert np.asarray(Image.open(io.BytesIO(uploaded))).tolist() == picture
    assert desk.files("tmp") == []


def test_pictures_that_cannot_be_uploaded_do_not_hold_the_end_of_a_training(desk: Desk, server: WandbServer) -> None:
    server.fault = lambda request: HOLD if request.path.startswith("/uploads/") else None
    drawn = {"pictures/decoder": [[1, 2], [3, 4]]}
    done = desk.online(server.address, a_run(desk, "r0", pictures=drawn), WANDB_FINISH_TIMEOUT="1")
    assert done.code == 0
    assert "W&B: Timed out finishing run." in done.warnings[0]
    assert recorded(desk, "r0") == LOGGED


def test_the_key_is_nowhere_but_in_the_header(desk: Desk, server: WandbServer) -> None:
    done = desk.online(server.address, a_run(desk, "r0"))
    header = "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode()
    uploads = [request for request in server.requests if request.path.startswith("/uploads/")]
    assert {request.authorization for request in server.requests if request not in uploads} == {header}
    assert {request.authorization for request in uploads} == {None}  # such an address is its own permission
    secrets = (KEY, header.removeprefix("Basic "))
    written = [path.read_bytes() for path in desk.root.rglob("*") if path.is_file()]
    assert sum(map(len, written)) > 10_000  # there was something to search
    assert any("wandb-core" in line for line in done.seen["arguments"])
    for secret in secrets:
        assert not any(secret.encode() in content for content in written)
        assert not any(secret in line for line in done.seen["arguments"])
        assert not any(secret in request.path + request.text for request in server.requests)
        assert secret not in done.output


def test_a_run_that_is_there_already_goes_on(desk: Desk, server: WandbServer) -> None:
    done = desk.online(server.address, a_run(desk, "r", rows=LOGGED[:20]), a_run(desk, "r", rows=LOGGED[20:]))
    assert (done.code, done.warnings) == (0, [])
    assert [request.operation for request in server.requests].count("RunResumeStatus") == 2  # asked, not overwritten
    assert arrived(server, "r") == recorded(desk, "r") == LOGGED


def test_what_the_server_has_of_a_retried_run_is_not_sent_again(desk: Desk, server: WandbServer) -> None:
    """An attempt that was killed, another from the start, and one from a checkpoint: every row once, in order."""
    drawn = {"pictures/decoder": [[1, 2], [3, 4]]}
    killed = a_run(desk, "r", rows=LOGGED[:20], before=[])
    anew = a_run(desk, "r", rows=LOGGED[:40], before=[])
    resumed = a_run(desk, "r", rows=LOGGED[30:], before=LOGGED[:30], pictures=drawn)
    again = a_run(desk, "r", rows=LOGGED, before=[], pictures=drawn, summary={"status": "complete"})
    done = desk.online(server.address, killed, anew, resumed, again)
    assert (done.code, done.warnings) == (0, [])
    *measured, pictured = arrived(server, "r")
    assert measured == LOGGED
    assert set(pictured) == {"step", *drawn}
    assert server.runs["r"].summary["status"] == "complete"


def test_what_a_killed_run_could_not_send_any_more_is_sent_when_it_goes_on(desk: Desk, server: WandbServer) -> None:
    """The client streams behind the training: a checkpoint may know rows of which the server has not heard."""
    killed = a_run(desk, "r", rows=LOGGED[:10], before=[])
    resumed = a_run(desk, "r", rows=LOGGED[30:], before=LOGGED[:30])
    done = desk.online(server.address, killed, resumed)
    assert (done.code, done.warnings) == (0, [])
    assert arrived(server, "r") == LOGGED


def test_a_server_that_fails_for_a_while_ends_in_the_same_state(desk: Desk, server: WandbServer) -> None:
    failed: set[str] = set()

    def fault(request: Seen) -> int | None:
        kind = request.operation or request.path.rsplit("/")[-1]
        if kind in failed or kind not in ("UpsertBucket", "file_stream"):
            return None
        failed.add(kind)
        if kind == "file_stream":  # the rows arrive, the answer does not: the client sends them again
            server.answer(request)
        return 500

    server.fault = fault
    done = desk.online(server.address, a_run(desk, "r0"))
    assert (done.code, done.warnings) == (0, [])
    assert failed == {"UpsertBucket", "file_stream"}
    assert arrived(server, "r0") == recorded(desk, "r0") == LOGGED
    assert (server.runs["r0"].complete, server.runs["r0"].exit_code) == (True, 0)


def test_a_refused_key_is_told_once_for_all_runs_of_the_process(desk: Desk, server: WandbServer) -> None:
    server.fault = lambda request: 401
    done = desk.online(server.address, a_run(desk, "r0"), a_run(desk, "r1"))
    assert_went_on_without(done, desk, "W&B (online) could not start: Failed to", "r0", "r1")
    assert "401" in done.warnings[0]
    assert KEY not in done.output


def test_a_key_refused_in_the_middle_is_told(desk: Desk, server: WandbServer) -> None:
    server.fault = lambda request: 401 if request.path.endswith("file_stream") else None
    done = desk.online(server.address, a_run(desk, "r0", pause=1.0))
    assert_went_on_without(done, desk, "Fatal error while uploading data", "r0")


@pytest.mark.parametrize("key", ["", "tooshort"])
def test_a_missing_or_misshapen_key_is_told(desk: Desk, server: WandbServer, key: str) -> None:
    done = desk.online(server.address, a_run(desk, "r0"), WANDB_API_KEY=key)
    assert_went_on_without(done, desk, "API key", "r0")
    assert server.requests == []


def test_without_a_server_training_goes_on_and_offline_still_works(desk: Desk) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        offline = a_run(desk, "r1", spec={"mode": "offline", "project": "sparse"})
        done = desk.online(address, a_run(desk, "r0"), offline, WANDB_INIT_TIMEOUT="1")
    assert_went_on_without(done, desk, "connection refused", "r0", "r1")
    assert len(list(desk.root.glob("runs/r1/wandb/offline-run-*/*.wandb"))) == 1


def test_a_server_that_never_answers_does_not_hold_a_training(desk: Desk, server: WandbServer) -> None:
    server.fault = lambda request: HOLD
    done = desk.online(server.address, a_run(desk, "r0"), a_run(desk, "r1"), WANDB_INIT_TIMEOUT="1")
    assert_went_on_without(done, desk, "context deadline exceeded", "r0", "r1")


def test_a_server_that_stops_answering_does_not_hold_the_end_of_a_training(desk: Desk, server: WandbServer) -> None:
    server.fault = lambda request: HOLD if request.path.endswith("file_stream") else None
    done = desk.online(server.address, a_run(desk, "r0"), WANDB_FINISH_TIMEOUT="1")
    assert done.code == 0
    assert "W&B: Timed out finishing run. (every row is in metrics.jsonl)" in done.warnings[0]
    assert recorded(desk, "r0") == LOGGED
