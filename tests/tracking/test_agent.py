"""W&B's own sweeps of a sweep: what is written for them, and that `wandb agent` trains with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from spadam.spec import InputError
from spadam.sweep.definition.reading import load
from spadam.sweep.definition.wandb_sweeps import lost, wandb_sweeps
from spadam.tracking import TrackingSpec, settle
from support.wandb_desk import KEY, Desk
from support.wandb_rows import logged, shown
from support.wandb_server import WandbServer

SWEEP = """\
name: lr-eps
base:
  data: {name: digits, batch_size: 256}
  model: {latents: 16, rule: {name: top_k, k: 4}}
  trainer: {epochs: null, steps: 3}
  tracking: {mode: offline, project: sparse}
variants:
  adam: {optimizer: {name: adam}, model: {tied: false}}
  lazy: {optimizer: {name: lazy_adam}}
space:
  optimizer.lr: {low: 1.0e-4, high: 1.0e-1, log: true}
  optimizer.eps: {low: 0.0, high: 1.0e-2}
  model.rule.k: {low: 2, high: 8}
  model.latents: {low: 16, high: 64, log: true}
  data.validation_size: {choices: [null, 100]}
search: {sampler: qmc, trials: 4, studies: 2, pruner: median}
repeat: {seeds: 2}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "sweep.yaml"
    path.write_text(text)
    return path


def test_a_sweep_is_written_for_each_variant_with_the_same_space_and_budget(tmp_path: Path) -> None:
    made = wandb_sweeps(load(written(tmp_path, SWEEP)), Path("here"))
    assert [one.variant for one in made] == ["adam", "lazy"]
    for one in made:
        sweep = one.sweep
        assert (sweep["program"], sweep["method"], sweep["run_cap"]) == ("spadam", "random", 4)
        assert sweep["metric"] == {"name": "val/fvu", "goal": "minimize"}
        assert sweep["parameters"] == {
            "optimizer.lr": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-1},
            "optimizer.eps": {"distribution": "uniform", "min": 0.0, "max": 1e-2},
            "model.rule.k": {"distribution": "int_uniform", "min": 2, "max": 8},
            "model.latents": {"distribution": "q_log_uniform_values", "q": 1, "min": 16, "max": 64},
            "data.validation_size": {"values": ["null", 100]},
        }
        assert one.config["tracking"] == {"mode": "online", "project": "sparse", "agent": True}
    assert made[0].config["model"] == {"latents": 16, "rule": {"name": "top_k", "k": 4}, "tied": False}


def test_a_grid_has_the_same_points(tmp_path: Path) -> None:
    text = SWEEP.replace("sampler: qmc, trials: 4, studies: 2, pruner: median", "sampler: grid")
    text = text.replace("log: true}\n  optimizer.eps", "log: true, points: 4}\n  optimizer.eps")
    text = text.replace("high: 1.0e-2}", "high: 1.0e-2, points: 2}").replace("high: 8}", "high: 8, points: 2}")
    (adam, _) = wandb_sweeps(load(written(tmp_path, text.replace("log: true}", "log: true, points: 2}"))), Path("here"))
    assert adam.sweep["method"] == "grid"
    assert adam.sweep["parameters"]["optimizer.lr"]["values"] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1])
    assert adam.sweep["parameters"]["model.rule.k"] == {"values": [2, 8]}


def test_what_is_lost_is_said(tmp_path: Path) -> None:
    said = [sentence.partition(":")[0] for sentence in lost(load(written(tmp_path, SWEEP)))]
    assert {"Equal budgets", "Pairing", "Verdicts", "Repeats", "Studies"} <= set(said)
    assert {"The sampler qmc", "The pruner median"} <= set(said)


def test_an_axis_that_is_no_key_is_refused(tmp_path: Path) -> None:
    text = SWEEP.replace(
        "optimizer.eps: {low: 0.0, high: 1.0e-2}", "optimizer.eps_rel: {low: 0.1, high: 10, log: true}"
    )
    with pytest.raises(InputError, match=r"variant adam: space\.optimizer\.eps_rel"):
        wandb_sweeps(load(written(tmp_path, text)), Path("here"))


def test_a_sweep_cannot_be_one_run_of_an_agent(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="asks for one run"):
        load(written(tmp_path, SWEEP.replace("mode: offline", "mode: online, agent: true")))


def test_without_an_agent_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_RUN_ID", "WANDB_SWEEP_ID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match=r"tracking\.agent"):
        settle(TrackingSpec(mode="online", agent=True))


@pytest.mark.slow
def test_an_agent_of_wandb_trains_its_runs_and_hears_of_them(desk: Desk, server: WandbServer) -> None:
    here = desk.root / "here"
    written(here, SWEEP)
    made = desk.command("spadam", "wandb", "sweep-config", "sweep.yaml", "--to", "two words")
    assert made.returncode == 0, made.stderr
    assert sorted(path.name for path in (here / "two words").iterdir()) == [
        *("adam.config.yaml", "adam.sweep.yaml", "lazy.config.yaml", "lazy.sweep.yaml")
    ]
    server.sweep = (here / "two words" / "lazy.sweep.yaml").read_text()
    points = [
        {"optimizer.lr": 0.01, "optimizer.eps": 1e-9, "model.rule.k": 3, "data.validation_size": "null"},
        {"optimizer.lr": 0.002, "optimizer.eps": 0, "model.rule.k": 5, "data.validation_size": 100},
    ]
    for number, point in enumerate(points):
        args = {name: {"value": value} for name, value in point.items()}
        server.commands.append({"type": "run", "run_id": f"run{number}", "program": "spadam", "args": args})
    online = {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY, "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "0.2"}
    done = desk.command("wandb", "agent", "--count", "2", "someone/sparse/sweep0", **online)
    assert set(server.runs) == {"run0", "run1"}, done.stdout + done.stderr
    for number, point in enumerate(points):
        run = server.runs[f"run{number}"]
        assert run.said("sweep") == "sweep0"
        assert (run.summary["status"], run.complete, run.exit_code) == ("complete", True, 0)
        assert "val/fvu" in run.summary
        assert run.config["optimizer"]["lr"] == point["optimizer.lr"]
        assert run.config["model"]["rule"]["k"] == point["model.rule.k"]
        assert run.config["data"]["validation_size"] == (None if number == 0 else 100)
        folder = here / "runs" / "lr-eps-wandb" / "lazy" / f"run{number}"
        assert [shown(row) for row in run.rows][: len(logged(folder))] == logged(folder)
    assert KEY not in done.stdout + done.stderr


def test_bands_are_lost_and_a_front_is_refused(tmp_path: Path) -> None:
    banded = SWEEP + "objective: {at: {sparsity/l0_eval: [2, 6]}}\n"
    assert any(said.startswith("Bands: a run whose sparsity/l0_eval is not 2 to 6") for said in _lost(tmp_path, banded))
    front = SWEEP.replace(", pruner: median", "") + "objective: {pareto: [val/fvu, sparsity/l0_eval]}\n"
    with pytest.raises(InputError, match="W&B's sweeps search for the best of one metric") as caught:
        wandb_sweeps(load(written(tmp_path, front)), Path("here"))
    assert caught.value.argument == "objective.pareto"


def _lost(folder: Path, text: str) -> list[str]:
    return lost(load(written(folder, text)))
