"""Runs of the real client without a server, read back with wandb's own reader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spadam.training.ledger import rows
from support.wandb_desk import Desk, Outcome
from support.wandb_rows import STEP

OFFLINE = {"mode": "offline", "project": "sparse"}
HISTOGRAM = {"edges": [-1.0, 0.0], "counts": [3], "never": 1}
SHOWN = {"density._type": "histogram", "density.values": [3], "density.bins": [-1, 0]}
"""The reader writes the keys of a mapping behind its own."""
PICTURE = [[0, 128], [255, 1]]


def inspect(desk: Desk, folder: Path) -> dict[str, list[Any]]:
    """What the only run below ``folder`` holds, by kind of record."""
    (path,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=300, env=desk.environment, cwd=desk.root)
    found: dict[str, list[Any]] = {}
    for line in done.stdout.splitlines():
        record = json.loads(line)
        found.setdefault(record["type"], []).append(record.get(record["type"]))
    return found


def history(found: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The logged rows, without what wandb adds."""
    return [{key: value for key, value in row["item"].items() if key[0] != "_"} for row in found["history"]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, Outcome]:
    desk = Desk(tmp_path_factory.mktemp("offline"))
    shared: dict[str, Any] = {"spec": OFFLINE, "group": "lr-eps", "tags": ["digits", "t" * 80, ""]}
    first = shared | {
        "id": "lr-eps/lazy_adam#0",
        "folder": str(desk.root / "runs" / "a"),
        "config": {"optimizer": {"name": "lazy_adam", "lr": 1e-3, "betas": [0.9, 0.999]}, "time_limit": None},
        "job_type": "lazy_adam",
        "name": "lazy 0",
        "rows": [{"epoch": n // 5, "step": 10 * n, "val/fvu": 1 / (n + 1), "absent": None} for n in range(20)],
        "summary": {"status": "complete", "test/fvu": 0.25, "warnings": ["every row is touched"]},
    }
    second = shared | {
        "id": "lr-eps-adam-1",
        "folder": str(desk.root / "runs" / "b"),
        "job_type": "adam",
        "rows": [{"step": 3, "val/fvu": float("nan"), "density": HISTOGRAM, "odd": [1, 2]}],
        "pictures": {"pictures/decoder": PICTURE},
        "exit_code": 1,
    }
    return desk, desk.run(first, second)


def test_a_run_keeps_its_config_group_job_type_and_tags(trained: tuple[Desk, Outcome]) -> None:
    desk, done = trained
    assert (done.code, done.warnings) == (0, [])
    found = inspect(desk, desk.root / "runs" / "a")
    run = found["run"][0]
    config = {key: value for key, value in run["config"]["update"].items() if key != "_wandb"}
    assert config == {
        "optimizer": {"name": "lazy_adam", "lr": 1e-3, "betas": [0.9, 0.999]},
        "time_limit": None,
    }
    assert (run["project"], run["run_group"], run["job_type"]) == ("sparse", "lr-eps", "lazy_adam")
    assert run["display_name"] == "lazy 0"
    assert run["tags"] == ["digits", "t" * 64]
    assert run["run_id"].startswith("lr-eps-lazy_adam-0-")

    assert history(found) == [{"epoch": n // 5, STEP: 10 * n, "val/fvu": 1 / (n + 1)} for n in range(20)]
    axes = [(metric.get("name"), metric.get("glob_name"), metric.get("step_metric")) for metric in found["metric"]]
    assert (STEP, None, None) in axes
    assert (None, "*", STEP) in axes
    summary: dict[str, Any] = {}
    for record in found["summary"]:
        summary |= record["update"]
    assert (summary["status"], summary["test/fvu"], summary[STEP]) == ("complete", 0.25, 190)
    assert summary["warnings"] == ["every row is touched"]


def test_the_next_run_of_the_process_is_its_own(trained: tuple[Desk, Outcome]) -> None:
    desk, _ = trained
    found = inspect(desk, desk.root / "runs" / "b")
    assert (found["run"][0]["run_id"], found["run"][0]["job_type"]) == ("lr-eps-adam-1", "adam")
    measured, pictured = history(found)
    assert measured == {STEP: 3, "val/fvu": "NaN"} | SHOWN
    assert (pictured[STEP], pictured["pictures/decoder._type"]) == (4, "image-file")
    (kept,) = (desk.root / "runs" / "b").glob(f"wandb/offline-run-*/files/{pictured['pictures/decoder.path']}")
    assert np.asarray(Image.open(kept)).tolist() == PICTURE
    assert found["exit"][0]["exit_code"] == 1


def test_nothing_is_written_outside_the_run_s_folder_but_the_client_s_own_log(trained: tuple[Desk, Outcome]) -> None:
    desk, _ = trained
    assert desk.files("here") == []
    assert all(path.startswith(".cache/wandb/logs/core-debug-") for path in desk.files("home"))
    assert all(path.startswith(("a/", "b/")) for path in desk.files("runs"))
    assert desk.files("tmp") in ([], ["debug-cli.root.log"])  # the reader's, where the tests above have run it


def test_neither_code_nor_machine_is_described(trained: tuple[Desk, Outcome]) -> None:
    desk, _ = trained
    kept = {Path(path).name for path in desk.files("runs", "a", "wandb")}
    assert not kept & {"wandb-metadata.json", "requirements.txt", "output.log", "diff.patch"}


def test_a_killed_trainer_loses_no_row_that_is_older_than_a_second(desk: Desk) -> None:
    folder = desk.root / "runs" / "k"
    logged = [{"step": n, "a": n / 2} for n in range(200)]
    done = desk.run(
        {"id": "k", "folder": str(folder), "spec": OFFLINE, "rows": logged, "kill_me": True, "last": "99.5"},
    )
    assert done.code == -9
    assert history(inspect(desk, folder)) == [{STEP: row["step"], "a": row["a"]} for row in logged]
    assert rows(folder / "metrics.jsonl") == logged


def test_when_the_client_dies_the_training_goes_on_and_the_next_run_is_tracked(desk: Desk) -> None:
    logged = [{"step": n, "a": n / 2} for n in range(20)]
    first, second = desk.root / "runs" / "first", desk.root / "runs" / "second"
    done = desk.run(
        {"id": "first", "folder": str(first), "spec": OFFLINE, "rows": logged, "kill_client_at": 5},
        {"id": "second", "folder": str(second), "spec": OFFLINE, "rows": logged},
    )
    assert done.code == 0
    assert len(done.warnings) == 1
    assert "tracking has stopped (ConnectionResetError: " in done.warnings[0]
    assert f"; every row is in {first}" in done.warnings[0]
    assert rows(first / "metrics.jsonl") == rows(second / "metrics.jsonl") == logged
    assert len(history(inspect(desk, second))) == len(logged)


def test_a_run_that_goes_on_is_whole_in_its_last_folder(desk: Desk) -> None:
    logged = [{"step": n, "a": n / 2} for n in range(30)]
    shared = {"id": "r", "spec": OFFLINE}
    killed = shared | {"folder": str(desk.root / "runs" / "first"), "rows": logged[:20], "before": []}
    resumed = shared | {"folder": str(desk.root / "runs" / "second"), "rows": logged[10:], "before": logged[:10]}
    assert desk.run(killed, resumed).code == 0
    assert history(inspect(desk, desk.root / "runs" / "second")) == [{STEP: r["step"], "a": r["a"]} for r in logged]
