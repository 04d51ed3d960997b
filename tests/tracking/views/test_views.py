"""Workspace and report of a sweep: what they hold, that they are the same each time, and how they get to a server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wandb_workspaces.workspaces.internal import WorkspaceViewspec

from spadam.config import RunConfig
from spadam.diagnostics.metrics import METRICS
from spadam.report.views import report_of, workspace_of
from spadam.spec import all_keys
from spadam.sweep.definition.reading import load
from spadam.sweep.definition.relative_axes import key_of
from spadam.sweep.outcome.finding import in_folder
from spadam.sweep.running.agent import run_sweep
from spadam.sweep.running.means import Means
from spadam.sweep.running.task import identity_of
from spadam.training.view import outcome_of
from support.paths import ROOT
from support.wandb_desk import KEY, Desk
from support.wandb_server import WandbServer

GOLDEN = Path(__file__).with_name("golden")

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
  sgd: {optimizer: {name: sgd}, space: {optimizer.eps: null}}
space:
  optimizer.lr: {low: 1.0e-4, high: 1.0e-1, log: true}
  optimizer.eps: {low: 1.0e-10, high: 1.0e-2, log: true}
search: {sampler: random, trials: 1, seed: 0}
repeat: {seeds: 1}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep that is done."""
    here = tmp_path_factory.mktemp("done")
    (here / "sweep.yaml").write_text(SWEEP)
    run_sweep(here / "sweep.yaml", here / "runs", means=Means(0))
    return here / "runs" / "lr-eps"


def panels(value: Any) -> Iterator[dict[str, Any]]:
    """Every panel in a view."""
    if isinstance(value, dict):
        if "viewType" in value:
            yield value
        for inner in value.values():
            yield from panels(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from panels(inner)


def keys_of(panel: dict[str, Any]) -> Iterator[str]:
    """What a panel asks runs for, as W&B writes it."""
    config = panel["config"]
    yield from config.get("metrics", ())
    yield from (config[axis] for axis in ("xAxis", "yAxis", "zAxis") if axis in config)
    yield from (column["accessor"] for column in config.get("columns", ()))
    if "groupBy" in config:
        yield "config:" + config["groupBy"]


def test_the_workspace_is_what_was_looked_at_once() -> None:
    """The golden file: look at the difference, and write it anew with what is printed by
    `spadam wandb workspace sweeps/quickstart.yaml --json`."""
    shown = json.loads(workspace_of(load(ROOT / "sweeps" / "quickstart.yaml")).spec)
    assert shown == json.loads((GOLDEN / "workspace.json").read_text(encoding="utf-8"))


def test_the_library_reads_what_it_is_given() -> None:
    view = workspace_of(load(ROOT / "sweeps" / "quickstart.yaml"))
    read = WorkspaceViewspec.model_validate_json(view.spec)
    assert [section.name for section in read.section.panel_bank_config.sections[:4]] == [
        "Variants compared",
        "What was searched",
        "Learning curves",
        "Rows, dead latents, epsilon",
    ]


@pytest.mark.parametrize("file", sorted(path.name for path in (ROOT / "sweeps").glob("*.yaml")))
def test_whatever_a_panel_asks_for_is_measured_or_configured(file: str) -> None:
    sweep = load(ROOT / "sweeps" / file)
    asked = {key for panel in panels(json.loads(workspace_of(sweep).spec)) for key in keys_of(panel)}
    keys = {f"config:{key.split('.')[0]}.value.{key.partition('.')[2]}" for key in all_keys(RunConfig)}
    known = {"trainer/global_step", "config:sweep.value.variant", *METRICS, *(f"summary:{name}" for name in METRICS)}
    assert asked <= known | keys
    wanted = {"sparsity/rows_touched", "sparsity/dead", "optim/eps_bound", "sparsity/density_histogram", "test/fvu"}
    assert wanted <= asked
    searched = {key_of(axis) for axis in sweep.axes}
    assert {f"config:{key.split('.')[0]}.value.{key.partition('.')[2]}" for key in searched} <= asked


def test_only_repeats_are_compared_by_bars() -> None:
    """Search trials measure nothing on the test split, so their runs have no such number to be averaged in."""
    sweep = load(ROOT / "sweeps" / "quickstart.yaml")
    bars = [panel for panel in panels(json.loads(workspace_of(sweep).spec)) if panel["viewType"] == "Bar Chart"]
    assert {METRICS[name].split for bar in bars for name in bar["config"]["metrics"]} == {"test"}


def test_the_report_tells_the_table_and_the_file(trained: Path) -> None:
    outcome = in_folder(trained)
    view = report_of(outcome)
    assert view == report_of(in_folder(trained))
    blocks = json.loads(view.spec)["blocks"]
    (table,) = [block["content"] for block in blocks if block["type"] == "markdown-block"]
    best = outcome.summaries[0].value
    assert best is not None
    assert f"{best:.4g}" in table
    assert "95 % interval" in table
    said = [child.get("text", "") for block in blocks for child in block["children"]]
    assert "Finished: 4 of 4 trainings." in said
    (code,) = [block for block in blocks if block["type"] == "code-block"]
    assert "name: lr-eps" in json.dumps(code)
    runs = [runset for block in blocks if block["type"] == "panel-grid" for runset in block["metadata"]["runSets"]]
    asked = [[(each["key"]["name"], each["value"]) for each in one["filters"]["filters"]] for one in runs]
    phases = ("repeat", "search", "repeat")
    assert asked == [[("group", "lr-eps"), ("jobType", phase)] for phase in phases]
    drawn = [panel["viewType"] for panel in panels(blocks)]
    kinds = {"Bar Chart", "Scatter Plot", "Parallel Coordinates Plot", "Run History Line Plot"}
    assert set(drawn) == kinds


BAND = "objective: {at: {sparsity/l0_eval: [2, 6]}}\n"
FRONT = "objective: {pareto: [val/fvu, sparsity/l0_eval]}\n"


def view_of(folder: Path, objective: str) -> dict[str, Any]:
    (folder / "sweep.yaml").write_text(SWEEP + objective)
    return dict(json.loads(workspace_of(load(folder / "sweep.yaml")).spec))


def test_runs_outside_a_band_come_after_all_that_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    view = view_of(tmp_path, BAND)
    (runs,) = view["section"]["runSets"]
    keys = [(key["key"]["section"], key["key"]["name"], key["ascending"]) for key in runs["sort"]["keys"]]
    assert keys == [("summary", "objective/outside", True), ("summary", "val/fvu", True)]
    asked = {key for panel in panels(view) for key in keys_of(panel)}
    assert "summary:sparsity/l0_eval" in asked
    run_sweep(tmp_path / "sweep.yaml", tmp_path / "runs", means=Means(0))
    outcome = in_folder(tmp_path / "runs" / "lr-eps")
    blocks = json.loads(report_of(outcome).spec)["blocks"]
    searched = [json.dumps(b) for b in blocks if b["type"] == "panel-grid" and "lr-eps: search" in json.dumps(b)]
    assert searched
    assert all("objective/outside" in text for text in searched)
    (row,) = [row for row in outcome.rows if (row["variant"], row["phase"]) == ("adam", "search")]
    record = outcome.searches[0].trials[0]
    assert record.result is not None
    config = outcome.sweep.variants["adam"].config(row["params"], row["seed"])
    who = identity_of("lr-eps", record.slot, config, outcome.sweep.spec.objective)
    assert outcome_of(record.result, who)["objective/outside"] == row["outside"]
    assert "objective/outside" not in outcome_of(record.result)


def test_the_metrics_of_a_front_are_drawn_against_each_other(tmp_path: Path) -> None:
    view = view_of(tmp_path, FRONT)
    scatters = [panel["config"] for panel in panels(view) if panel["viewType"] == "Scatter Plot"]
    assert any((one["xAxis"], one["yAxis"]) == ("summary:sparsity/l0_eval", "summary:val/fvu") for one in scatters)
    assert "objective/outside" not in json.dumps(view)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["workspace", "report"])
def test_a_view_is_published_once_and_then_replaced(desk: Desk, server: WandbServer, trained: Path, what: str) -> None:
    shutil.copytree(trained, desk.root / "here" / "lr-eps")
    online = {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY, "WANDB_MODE": "online"}
    early = desk.command("spadam", "wandb", what, "lr-eps", **online)
    assert (early.returncode, early.stdout) == (1, "")
    assert "has no project sparse of someone" in early.stderr
    server.projects.add("sparse")
    for _ in range(2):
        done = desk.command("spadam", "wandb", what, "lr-eps", **online)
        assert done.returncode == 0, done.stderr
    ((kind, name),) = server.views
    view = server.views[kind, name]
    assert (view["entityName"], view["projectName"], view["displayName"]) == ("someone", "sparse", "lr-eps")
    outcome = in_folder(trained)
    made = workspace_of(outcome.sweep) if what == "workspace" else report_of(outcome)
    assert (kind, name, view["spec"]) == (made.kind, made.name, made.spec)
    ending = f"?nw={name[3:-2]}" if what == "workspace" else "/reports/lr-eps--View0"
    assert done.stdout == f"at W&B: {server.address}/someone/sparse{ending}\n"
    assert not server.not_understood
    assert KEY not in done.stdout + done.stderr


@pytest.mark.parametrize("online", [True, False])
def test_without_a_server_it_is_printed_with_a_word(desk: Desk, trained: Path, online: bool) -> None:
    shutil.copytree(trained, desk.root / "here" / "lr-eps")
    asked = {"WANDB_MODE": "online", "WANDB_BASE_URL": "http://127.0.0.1:9"} if online else {}
    done = desk.command("spadam", "wandb", "workspace", "lr-eps", **asked)
    assert json.loads(done.stdout) == json.loads(workspace_of(in_folder(trained).sweep).spec)
    said = "does not answer" if online else "WANDB_MODE=online publishes it"
    assert said in done.stderr
    assert done.returncode == 0


def test_what_answers_and_is_no_server_of_views_is_named(
    desk: Desk, server: WandbServer, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained, desk.root / "here" / "lr-eps")
    monkeypatch.setattr(server, "_on_View", lambda _: {"project": {"id": "sparse"}})
    online = {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY, "WANDB_MODE": "online"}
    done = desk.command("spadam", "wandb", "workspace", "lr-eps", **online)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("answers, but not as a W&B server does; nothing was published\n")


def test_a_server_that_does_not_take_it_is_named(desk: Desk, server: WandbServer, trained: Path) -> None:
    shutil.copytree(trained, desk.root / "here" / "lr-eps")
    online = {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY, "WANDB_MODE": "online"}
    server.fault = lambda request: 500 if request.operation == "UpsertView2" else None
    server.projects.add("sparse")
    done = desk.command("spadam", "wandb", "workspace", "lr-eps", **online)
    assert (done.returncode, done.stdout) == (1, "")
    said = f"W&B: {server.address} answers 500 Internal Server Error; nothing was published"
    assert done.stderr.splitlines()[-1] == said
