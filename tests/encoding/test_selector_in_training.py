"""`model.selection` in a configuration: the same numbers whichever way is taken, and what is told of it."""

from pathlib import Path
from typing import Any

import pytest

from spadam.config import RunConfig
from spadam.spec import Document, validate
from spadam.training.result import RunResult
from spadam.training.run import run


def train(out: Path | None = None, progress: Any = None, **model: Any) -> RunResult:
    text = {
        "data": {"name": "digits", "batch_size": 64},
        "model": {"latents": 200, "rule": {"name": "top_k", "k": 4}, **model},
        "optimizer": {"name": "lazy_adam", "lr": 3e-3},
        "trainer": {"epochs": 2, "checkpoint_every": 5},
        "tracking": {"mode": "disabled"},
    }
    return run(validate(RunConfig, Document(text, {}, "test")), out, progress=progress)


def numbers(result: RunResult, without: tuple[str, ...] = ("time",)) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if not k.startswith(without)} for row in result.evaluations]


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return train(tmp_path_factory.mktemp("certified") / "run", selection="certified")


def test_no_number_depends_on_the_way(certified: RunResult, tmp_path: Path) -> None:
    plain = train(tmp_path / "run", selection="float32")
    assert certified.provenance["selection"] == "certified"
    assert plain.provenance["selection"] == "float32"
    assert numbers(plain, ("time", "selection")) == numbers(certified, ("time", "selection"))
    assert not any(name.startswith("selection") for name in plain.metrics)


def test_what_was_certified_is_told(certified: RunResult) -> None:
    first, *rest = certified.evaluations
    assert "selection/certified" not in first, "nothing was trained yet, and evaluations are not counted"
    for row in rest:
        assert 0.98 < row["selection/certified"] <= 1
        assert row["selection/widenings"] == 0


def test_an_interrupted_training_counts_on(certified: RunResult, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(progress: Any) -> None:
        if progress.step >= 12:
            raise Stop

    monkey = pytest.MonkeyPatch()
    monkey.setattr("spadam.training.telemetry._PROGRESS_SECONDS", 0.0)
    with monkey.context(), pytest.raises(Stop):
        train(tmp_path / "run", stop, selection="certified")
    monkey.undo()
    assert numbers(train(tmp_path / "run", selection="certified")) == numbers(certified)
