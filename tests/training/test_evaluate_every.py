"""When a training is evaluated, what a row is of, and that a resumed one, or one that is cut, has the same rows."""

import itertools
from pathlib import Path
from typing import Any

import pytest

import spadam.training.run
from spadam.spec import InputError
from spadam.training import checkpoint_files, telemetry
from spadam.training.curve import Pruning
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from spadam.training.run import run
from spadam.training.telemetry import short_rows
from support.short_training import STEPS, Stop, config, rows, same, stop_at, timeless, weights

OPTIMIZER = {"name": "masked_adam", "lr": 1e-2, "schedule": {"name": "cosine", "warmup_steps": 5}}


@pytest.fixture(autouse=True)
def every_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spadam.training.telemetry._PROGRESS_SECONDS", 0.0)


def steps_of(result: RunResult) -> list[int]:
    return [row["step"] for row in result.evaluations]


@pytest.mark.parametrize(
    ("trainer", "steps"),
    [
        ({"epochs": 1, "evaluate_every": 5}, [0, 5, 10, 15, 18]),
        ({"epochs": 1, "evaluate_every": 6}, [0, 6, 12, 18]),
        ({"epochs": 2, "evaluate_every": 8}, [0, 8, 16, 24, 32, 36]),
        ({"epochs": 2, "evaluate_every": 27}, [0, 27, 36]),
        ({"epochs": 2, "evaluate_every": 1000}, [0, 36]),
        ({"epochs": None, "steps": 21, "evaluate_every": 10}, [0, 10, 20, 21]),
        ({"epochs": None, "steps": 20, "evaluate_every": 10}, [0, 10, 20]),
        ({"epochs": None, "steps": 3, "evaluate_every": 1}, [0, 1, 2, 3]),
        ({"epochs": None, "steps": 21, "evaluate_every": "epoch"}, [0, 18, 21]),
    ],
    ids=str,
)
def test_the_steps_of_the_evaluations(trainer: dict[str, Any], steps: list[int]) -> None:
    result = run(config(probe=None, trainer=trainer), phase="search")
    assert steps_of(result) == steps
    assert all(row["val/fvu"] is not None for row in result.evaluations)
    assert all(row["optim/update_rms"] is not None for row in result.evaluations[1:]), "each interval has a look"
    last = {name: value for name, value in result.evaluations[-1].items() if name not in ("epoch", "step", "time")}
    assert {name: result.metrics[name] for name in last} == last


def test_one_pass_over_the_samples_has_a_curve() -> None:
    """What was asked for: an epoch of which a pruner and a page saw nothing but its two ends."""
    once = run(config(probe=None, trainer={"epochs": 1, "evaluate_every": 6}), phase="search")
    assert len(once.evaluations) == 4
    fvu = [row["val/fvu"] for row in once.evaluations]
    assert fvu == sorted(fvu, reverse=True)
    assert [row["epoch"] for row in once.evaluations] == [0, 0, 0, 1]


def test_when_it_is_evaluated_changes_no_weight_and_no_number_of_the_end(tmp_path: Path) -> None:
    numbers = []
    for every in ("epoch", 1, 7):
        wanted = config(optimizer=OPTIMIZER, trainer={"evaluate_every": every, "clip_norm": 0.5})
        found = run(wanted, tmp_path / str(every)).metrics
        kept = ("val/", "train/mse", "train/fvu", "test/", "sparsity/l0_eval", "sparsity/dead", "probe/val")
        numbers.append({name: value for name, value in found.items() if name.startswith(kept)})
        assert weights(tmp_path / str(every)) == weights(tmp_path / "epoch")
    assert numbers[0] == numbers[1] == numbers[2]
    assert len(numbers[0]) > 10


@pytest.mark.parametrize("evaluate", [12, 15, "epoch"])
@pytest.mark.parametrize("look", [4, 7])
def test_the_loss_of_a_row_is_the_mean_since_the_row_before(
    evaluate: Any, look: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "LOOK_EVERY", look)
    losses: list[float] = []

    def watch(progress: Progress) -> None:
        if progress.doing == "training":
            assert progress.loss is not None
            losses.append(progress.loss)

    wanted = config(probe=None, trainer={"epochs": None, "steps": 29, "evaluate_every": evaluate})
    result = run(wanted, tmp_path / "out", progress=watch)
    found = rows(tmp_path / "out")
    assert len(losses) == 29
    assert len(found) > len(result.evaluations), "there are short rows too"
    assert [row["step"] for row in found] == sorted({row["step"] for row in found})
    for before, row in itertools.pairwise(found):
        mine = losses[before["step"] : row["step"]]
        assert row["train/loss_stream"] == pytest.approx(sum(mine) / len(mine), rel=1e-6)  # losses as float32
    gaps = [after["step"] - before["step"] for before, after in itertools.pairwise(found)]
    assert min(gaps) >= look // 2
    assert result.metrics["train/loss_stream"] == found[-1]["train/loss_stream"]


@pytest.mark.parametrize("every", [1, 18, 24, 25, 75, 76, 77, 125, 126, 127, 150, 400])
def test_short_rows_are_foreseen(every: int) -> None:
    """Rows at steps 51, 101, … after an evaluation, unless the next one is nearer than half of that."""
    assert short_rows(every) == len([step for step in range(51, every, 50) if every - step >= 25])


def test_a_training_that_ends_where_nobody_foresaw_it_has_one_row_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a look: a short row there would leave the full one without a step to speak of."""
    monkeypatch.setattr(telemetry, "LOOK_EVERY", 4)
    exploding = config(probe=None, optimizer={"name": "sgd", "lr": 1e6}, trainer={"epochs": 3})
    result = run(exploding, tmp_path / "out")
    assert result.status == "diverged"
    found = rows(tmp_path / "out")
    assert [row["step"] for row in found] == sorted({row["step"] for row in found})
    assert "train/loss_stream" in found[-1]
    assert steps_of(result)[-1] == found[-1]["step"]


@pytest.mark.parametrize("saved", ["epoch", 5])
@pytest.mark.parametrize("stop", [7, 16, STEPS, STEPS + 6])
def test_an_interrupted_run_has_the_same_rows_and_bits(
    saved: Any, stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "LOOK_EVERY", 3)
    wanted = config(
        optimizer=OPTIMIZER,
        trainer={"checkpoint_every": saved, "clip_norm": 1e-2, "evaluate_every": 8, "silent_after": 512},
        model={"rule": {"name": "batch_top_k"}},
    )
    whole = run(wanted, tmp_path / "whole")
    assert steps_of(whole) == [0, 8, 16, 24, 32, 36]
    assert 0 < whole.evaluations[1]["optim/clip_factor"] < 1
    assert whole.metrics["sparsity/silent"] is not None
    with pytest.raises(Stop):
        run(wanted, tmp_path / "out", progress=stop_at(stop))
    resumed = run(wanted, tmp_path / "out")
    assert same(resumed, whole)
    assert weights(tmp_path / "out") == weights(tmp_path / "whole")
    assert rows(tmp_path / "out") == rows(tmp_path / "whole"), "every row once, in order"


CUT = Pruning("val/fvu", "minimize", (None, None, 0.0, None, None))
"""No fvu is below 0, so the second evaluation cuts, in the middle of an epoch."""


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    folder = tmp_path_factory.mktemp("cut") / "out"
    return folder, run(config(trainer={"evaluate_every": 5}), folder, phase="search", pruning=CUT)


def test_a_pruner_cuts_within_an_epoch(cut: tuple[Path, RunResult]) -> None:
    folder, result = cut
    assert result.status == "pruned"
    assert steps_of(result) == [0, 5, 10]
    whole = run(config(trainer={"evaluate_every": 5}), phase="search")
    assert list(map(timeless, result.evaluations)) == list(map(timeless, whole.evaluations[:3]))
    assert [row["step"] for row in rows(folder)] == [0, 5, 10]


@pytest.mark.parametrize("saved", ["epoch", 3, 5])
def test_a_resumed_run_is_cut_at_the_same_place(saved: Any, tmp_path: Path, cut: tuple[Path, RunResult]) -> None:
    wanted, out = config(trainer={"evaluate_every": 5, "checkpoint_every": saved}), tmp_path / "out"
    with pytest.raises(Stop):
        run(wanted, out, phase="search", pruning=CUT, progress=stop_at(8))
    assert same(run(wanted, out, phase="search", pruning=CUT), cut[1])
    assert weights(out) == weights(cut[0])
    assert rows(out) == rows(cut[0])


@pytest.mark.parametrize("saved", ["epoch", 5])
def test_a_run_that_was_killed_after_the_cut_trains_no_further(
    saved: Any, tmp_path: Path, cut: tuple[Path, RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, out = config(trainer={"evaluate_every": 5, "checkpoint_every": saved}), tmp_path / "out"

    def kill(*_: object) -> None:
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(spadam.training.run, "save_weights", kill)
        with pytest.raises(Stop):
            run(wanted, out, phase="search", pruning=CUT)
    newest = checkpoint_files.latest(out / "checkpoints")
    assert newest is not None
    assert checkpoint_files.step_of(newest) == 10
    told: list[str] = []
    result = run(wanted, out, phase="search", pruning=CUT, progress=lambda progress: told.append(progress.doing))
    assert "training" not in told
    assert same(result, cut[1])
    assert weights(out) == weights(cut[0])
    assert rows(out) == rows(cut[0])


def test_a_step_that_ends_the_training_is_no_place_to_cut() -> None:
    wanted = config(trainer={"epochs": None, "steps": 10, "evaluate_every": 5})
    assert run(wanted, phase="search", pruning=CUT).status == "complete"


@pytest.mark.parametrize("every", ["step", 0, -3, 2.5, None, True])
def test_other_values_are_refused(every: Any) -> None:
    with pytest.raises(InputError, match=r"trainer\.evaluate_every"):
        config(trainer={"evaluate_every": every})


def test_keys_at_their_defaults_are_no_new_facts() -> None:
    """A run or a sweep that was begun before there were these keys goes on."""
    assert not {"evaluate_every", "silent_after"} & set(config().facts()["trainer"])
    spelled_out = config(trainer={"evaluate_every": "epoch", "silent_after": 100_000})
    assert spelled_out.identity() == config().identity()
    others = [config(trainer={"evaluate_every": 18}), config(trainer={"silent_after": 99})]
    assert len({config().identity(), *(other.identity() for other in others)}) == 3
    assert others[0].facts()["trainer"]["evaluate_every"] == 18
