"""A training that is cut short: where it stops, what it leaves, and that a resumed one is cut at the same place."""

from pathlib import Path
from typing import Any

import pytest

import spadam.training.run
from spadam.config import RunConfig
from spadam.training.curve import Curve, Pruning
from spadam.training.ledger import rows as ledger_rows
from spadam.training.limits import Limits
from spadam.training.result import RunResult
from spadam.training.run import run
from support.short_training import STEPS, Stop, config, rows, same, stop_at, timeless, weights

CUT_AT_2 = Pruning("val/fvu", "minimize", (None, None, 0.0, None, None))
"""No fvu is below 0, so the second evaluation cuts."""


def four_epochs(**trainer: Any) -> RunConfig:
    return config(trainer={"epochs": 4, **trainer})


@pytest.fixture(autouse=True)
def every_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spadam.training.telemetry._PROGRESS_SECONDS", 0.0)


@pytest.fixture(scope="module")
def whole() -> RunResult:
    return run(four_epochs(), phase="search")


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    folder = tmp_path_factory.mktemp("cut") / "out"
    return folder, run(four_epochs(), folder, phase="search", pruning=CUT_AT_2)


def test_has_the_metrics_of_its_last_evaluation_and_no_others(cut: tuple[Path, RunResult], whole: RunResult) -> None:
    folder, result = cut
    assert result.status == "pruned"
    assert [row["step"] for row in result.evaluations] == [0, STEPS, 2 * STEPS]
    assert list(map(timeless, result.evaluations)) == list(map(timeless, whole.evaluations[:3]))
    places = ("epoch", "step", "time")
    assert result.metrics == {name: v for name, v in result.evaluations[-1].items() if name not in places}
    assert {p.name for p in folder.iterdir()} == {"result.json", "metrics.jsonl", "model.safetensors", "config.yaml"}
    assert run(four_epochs(), folder) == result, "a finished folder is read"


def test_neither_tests_nor_fits_the_probe(tmp_path: Path) -> None:
    result = run(four_epochs(), tmp_path / "out", phase="train", refit=True, pruning=CUT_AT_2)
    assert result.status == "pruned"
    assert not [name for name in result.metrics if name.startswith("test/") or name == "probe/val_accuracy"]
    assert not [row for row in ledger_rows(tmp_path / "out" / "metrics.jsonl") if "probe/val_accuracy" in row]


def statuses(wanted: RunConfig, evaluations: int) -> list[tuple[str, int]]:
    """What comes of a training that is to be cut at each evaluation, and how many it then has."""
    found = []
    for number in range(evaluations):
        result = run(wanted, phase="search", pruning=Pruning("val/fvu", "minimize", (*(None,) * number, 0.0)))
        found.append((result.status, len(result.evaluations)))
    return found


@pytest.mark.parametrize(
    "trainer",
    [{"epochs": 3}, {"epochs": None, "steps": 2 * STEPS + 4}, {"epochs": None, "steps": 3 * STEPS}],
    ids=["epochs", "steps within an epoch", "steps"],
)
def test_is_cut_neither_at_step_0_nor_at_its_end(trainer: dict[str, Any]) -> None:
    wanted = config(trainer=trainer)
    assert statuses(wanted, 4) == [("complete", 4), ("pruned", 2), ("pruned", 3), ("complete", 4)]


def test_a_training_whose_time_is_over_has_come_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Limits, "_seconds", lambda limits: 0.0 if limits._first_loss is None else 9.0)
    short = config(trainer={"epochs": 3, "time_limit": 5.0})  # over after its first step
    assert statuses(short, 2) == [("complete", 2), ("complete", 2)]


def test_goes_on_while_it_is_good_enough(whole: RunResult) -> None:
    curve: Curve = tuple(row["val/fvu"] for row in whole.evaluations)
    assert same(run(four_epochs(), phase="search", pruning=Pruning("val/fvu", "minimize", curve)), whole)


def test_a_diverged_training_is_not_called_pruned() -> None:
    exploding = config(optimizer={"name": "sgd", "lr": 1e6}, trainer={"epochs": 3})
    result = run(exploding, phase="search", pruning=Pruning("val/fvu", "minimize", (None, 0.0, 0.0)))
    assert (result.status, len(result.evaluations)) == ("diverged", 2)


@pytest.mark.parametrize("every", ["epoch", 5])
@pytest.mark.parametrize("step", [3, STEPS + 3])
def test_a_resumed_run_is_cut_at_the_same_place(
    tmp_path: Path, cut: tuple[Path, RunResult], step: int, every: Any
) -> None:
    wanted, out = four_epochs(checkpoint_every=every), tmp_path / "out"
    with pytest.raises(Stop):
        run(wanted, out, phase="search", pruning=CUT_AT_2, progress=stop_at(step))
    result = run(wanted, out, phase="search", pruning=CUT_AT_2)
    assert same(result, cut[1])
    assert weights(out) == weights(cut[0])
    assert [row["step"] for row in rows(out)] == [row["step"] for row in rows(cut[0])]


def test_a_run_that_was_killed_after_the_cut_trains_no_further(
    tmp_path: Path, cut: tuple[Path, RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> None:
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(spadam.training.run, "save_weights", kill)
        with pytest.raises(Stop):
            run(four_epochs(), tmp_path / "out", phase="search", pruning=CUT_AT_2)
    kept = sorted(path.name for path in (tmp_path / "out" / "checkpoints").glob("*.ckpt"))
    assert kept == [f"step-{STEPS:09d}.ckpt", f"step-{2 * STEPS:09d}.ckpt"]
    result = run(four_epochs(), tmp_path / "out", phase="search", pruning=CUT_AT_2)
    assert same(result, cut[1])
    assert weights(tmp_path / "out") == weights(cut[0])
