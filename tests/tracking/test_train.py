"""What a training tells its tracker, and when."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spadam.config import RunConfig
from spadam.diagnostics import pictures
from spadam.models.autoencoder import SparseAutoencoder
from spadam.spec import parse, validate
from spadam.tracking import Draw
from spadam.training.curve import Pruning
from spadam.training.ledger import rows
from spadam.training.result import RunResult
from spadam.training.run import run

DIGITS = {
    "data": {"name": "digits", "batch_size": 256},
    "model": {"latents": 16, "rule": {"name": "top_k", "k": 4}},
    "optimizer": {"name": "lazy_adam", "lr": 1e-2},
    "trainer": {"epochs": 2},
    "probe": None,
}


class Listener:
    """A tracker that keeps what it is told, and whether there was a result on the disk by then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = []
        self.shown: list[tuple[Mapping[str, Any], int]] = []
        self.outcome: dict[str, Any] = {}
        self.order: list[tuple[str, bool]] = []

    def _note(self, call: str) -> None:
        self.order.append((call, (self.folder / "result.json").exists()))

    def record(self, row: Mapping[str, Any]) -> None:
        self.rows.append(dict(row))

    def show(self, draw: Draw, step: int) -> None:
        self._note("show")
        self.shown.append((draw(), step))

    def summary(self, values: Mapping[str, Any]) -> None:
        self._note("summary")
        self.outcome = dict(values)

    def finish(self, exit_code: int = 0) -> None:
        self._note("finish")


def listened(
    folder: Path, monkeypatch: pytest.MonkeyPatch, pruning: Pruning | None = None, **changes: Any
) -> tuple[Listener, RunResult]:
    """Train digits, with ``changes`` to the configuration, under a listener."""
    listener = Listener(folder)
    monkeypatch.setattr("spadam.training.run.open_run", lambda *_, **__: listener)
    config = validate(RunConfig, parse("{}", "t.yaml")._replace(data=DIGITS | changes))
    return listener, run(config, folder, pruning=pruning)


def test_every_evaluation_has_its_histogram_in_the_ledger_and_at_the_tracker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener, result = listened(tmp_path / "out", monkeypatch)
    recorded = rows(tmp_path / "out" / "metrics.jsonl")
    name = "sparsity/density_histogram"
    for kept in (recorded, listener.rows):
        histograms = [row[name] for row in kept if "val/fvu" in row]
        assert len(histograms) == 3
        assert all(sum(each["counts"]) + each["never"] == 16 for each in histograms)
        assert histograms[-1] == result.arrays[name]
    assert not any(name in row for row in result.evaluations), "there it stands once, under `arrays`"


def test_pictures_and_the_outcome_are_shown_once_the_result_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything_on = {"latents": 16, "rule": {"name": "top_k", "k": 16}}
    listener, result = listened(tmp_path / "out", monkeypatch, model=everything_on)
    assert listener.order == [("show", True), ("summary", True), ("finish", True)]
    ((drawn, step),) = listener.shown
    assert set(drawn) == {"pictures/decoder", "pictures/reconstructions"}
    assert step == result.evaluations[-1]["step"]
    assert result.warnings, "every row is touched in every step"
    assert listener.outcome == {
        "status": "complete",
        **result.metrics,
        "warnings": [warning["text"] for warning in result.warnings],
        "warning_count": len(result.warnings),
    }


def test_the_pictures_are_of_the_trained_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listener, result = listened(tmp_path / "out", monkeypatch)
    config = validate(RunConfig, parse("{}", "t.yaml")._replace(data=result.config))
    expected = pictures.draw(SparseAutoencoder.load(tmp_path / "out"), config.data.load())
    for name, picture in listener.shown[0][0].items():
        np.testing.assert_array_equal(picture, expected[name])


@pytest.mark.filterwarnings("ignore:.*overflow.*")
def test_a_diverged_training_says_so_and_has_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listener, result = listened(tmp_path / "out", monkeypatch, optimizer={"name": "sgd", "lr": 1e6})
    assert result.status == listener.outcome["status"] == "diverged"
    assert listener.order == [("summary", True), ("finish", True)]


def test_a_pruned_training_says_so_and_has_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unreachable = Pruning("val/fvu", "minimize", (None, 0.0))
    listener, result = listened(tmp_path / "out", monkeypatch, unreachable)
    assert result.status == listener.outcome["status"] == "pruned"
    assert listener.order == [("summary", True), ("finish", True)]


def test_data_that_are_no_images_have_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"name": "synthetic", "features": 16, "atoms": 32, "samples": 600}
    listener, _ = listened(tmp_path / "out", monkeypatch, data=data)
    assert [pictured for pictured, _ in listener.shown] == [{}]
