"""The sweep whose workers are counted: of the quickstart's sizes, its times written down by its trainings."""

import json
from pathlib import Path

import pytest

from spadam.bench import FULL, NotRun, Settings, workers
from spadam.bench.workers import MARKS, describe_sweep, run_quietly, summarise, two_over_one
from spadam.spec import dump, load, merge
from support.paths import ROOT


def test_the_sizes_are_the_quickstarts() -> None:
    shipped = load(ROOT / "sweeps" / "quickstart.yaml").data
    small = {"search": {"trials": 6}, "base": {"trainer": {"threads": 1}, "tracking": {"mode": "disabled"}}}
    assert describe_sweep() == merge(shipped, small)


def test_trainings_write_down_their_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, marks = tmp_path / "sweep.yaml", tmp_path / "marks"
    tiny = describe_sweep(trials=1, epochs=1) | {"variants": {"lazy_adam": {"optimizer": {"name": "lazy_adam"}}}}
    spec.write_text(dump(tiny | {"repeat": {"seeds": 1}}))
    monkeypatch.setenv(MARKS, str(marks))
    assert run_quietly(0, spec, tmp_path / "out") == 0
    trainings = [json.loads(line) for line in marks.read_text().splitlines()]
    assert len(trainings) == 2
    assert all(training["begin"] < training["step"] < training["end"] for training in trainings)


def test_times_are_summed_up() -> None:
    trainings = [{"begin": 10.0, "step": 11.0, "end": 20.0}, {"begin": 10.0, "step": 13.0, "end": 40.0}]
    found = summarise(trainings, workers=2, start=8.0)
    assert found == {
        "command to first training": 2.0,
        "training to its first step": 2.0,
        "a training": 20.0,
        "hand-over between trainings of a worker": 10.0,
        "per minute": 4.0,
    }


def test_two_are_held_against_one_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def measure(count: int, spec: Path, folder: Path) -> dict[str, float]:
        assert load(spec).data["search"]["trials"] == 6
        asked.append(count)
        return {"per minute": 50.0 * count - len(asked)}

    monkeypatch.setattr(workers, "measure_sweep", measure)
    monkeypatch.setattr("spadam.machine.cores", lambda: 2)
    found = two_over_one(Settings(FULL))
    assert asked == [1, 2] * 3
    assert (found.of, found.over, found.repetitions, found.unit) == (96.0, 47.0, 3, "trainings a minute")


def test_one_core_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spadam.machine.cores", lambda: 1)
    with pytest.raises(NotRun, match="two cores"):
        two_over_one(Settings(FULL))
