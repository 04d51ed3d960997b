"""Files of a training or a sweep, damaged in every way: the last good state, a fresh start, or one clear error.

Nothing that lies in a folder is ever executed, and no damage ends in a traceback.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spadam.spec import dump
from spadam.sweep.running.task import train as train_task
from spadam.training import checkpoint_files
from spadam.training.result import RunResult
from spadam.training.run import run
from support import spoil
from support.short_training import config, rows, run_until, same, weights
from support.sweep_bench import Bench

Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def every_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spadam.training.telemetry._PROGRESS_SECONDS", 0.0)


SETTINGS: dict[str, Any] = {"trainer": {"checkpoint_every": 3, "epochs": 1}, "probe": None}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    folder = tmp_path_factory.mktemp("whole") / "out"
    return folder, run(config(**SETTINGS), folder)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_until(14, config(**SETTINGS), tmp_path_factory.mktemp("stopped") / "out")


WAYS: dict[str, Callable[[Path], None]] = {
    **spoil.WAYS,
    "a bomb": lambda path: spoil.bomb(path, mark_of(path)),
    "gone": spoil.away,
}


def mark_of(path: Path) -> Path:
    """What a bomb at ``path`` would make."""
    return Path(f"{path.parent.parent.absolute()}-exploded")


def exploded(folder: Path) -> list[Path]:
    return [*folder.rglob("*-exploded"), *folder.parent.glob("*-exploded")]


@pytest.mark.parametrize("name", ["config.yaml", "result.json", "metrics.jsonl", "model.safetensors"])
def test_a_training_that_has_ended(
    name: str, whole: tuple[Path, RunResult], tmp_path: Path, spadam: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`train` gives what is known, trains again, or says what is wrong and with which file."""
    monkeypatch.chdir(tmp_path)
    (spec := Path("run.yaml")).write_text(dump(config(**SETTINGS).plain()))
    for number, (way, act) in enumerate(WAYS.items()):
        out = Path(shutil.copytree(whole[0], str(number)))
        act(out / name)
        ended = spadam("train", spec, "--out", out)
        assert ended.code in (0, 2), way
        if ended.code:
            assert str(out) in ended.err, (way, ended.err)
            assert ended.err.count("rule:") <= 3, (way, ended.err)
        assert not exploded(tmp_path), way
        if (name, way) == ("result.json", "gone"):
            assert same(run(config(**SETTINGS), out), whole[1]), "trained again"


@pytest.mark.parametrize("name", ["config.yaml", "metrics.jsonl", "checkpoint", "digest", "both"])
def test_a_training_that_was_stopped(
    name: str,
    stopped: Path,
    whole: tuple[Path, RunResult],
    tmp_path: Path,
    spadam: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It goes on to the bits of an undisturbed one, from whatever is whole, or one error names the file."""
    monkeypatch.chdir(tmp_path)
    (spec := Path("run.yaml")).write_text(dump(config(**SETTINGS).plain()))
    for number, (way, act) in enumerate(WAYS.items()):
        out = Path(shutil.copytree(stopped, str(number)))
        newest, older = checkpoint_files.saved(out / "checkpoints")
        places = {
            **{"checkpoint": [newest], "digest": [checkpoint_files.digest_path(newest)]},
            "both": [newest, checkpoint_files.digest_path(older)],
        }
        for place in places.get(name, [out / name]):
            act(place)
        ended = spadam("train", spec, "--out", out)
        assert not exploded(tmp_path), way
        if ended.code == 0:
            assert weights(out) == weights(whole[0]), way
            assert rows(out) == rows(whole[0]), way
        else:
            assert ended.code in (1, 2), way
            assert name in ("config.yaml", "metrics.jsonl"), f"{way}: {ended.err}"
            assert str(out) in ended.err, (way, ended.err)
            assert ended.err.count("rule:") <= 3, (way, ended.err)
    assert not list(tmp_path.glob("*/checkpoints")) or name in ("config.yaml", "metrics.jsonl")


def test_any_bit_of_a_checkpoint(stopped: Path, whole: tuple[Path, RunResult], tmp_path: Path) -> None:
    for seed in range(8):
        out = Path(shutil.copytree(stopped, tmp_path / str(seed)))
        spoil.flip(checkpoint_files.saved(out / "checkpoints")[0], seed)
        result = run(config(**SETTINGS), out)
        assert same(result, whole[1])
        assert [each["step"] for each in result.provenance["resumed"]] == [9]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A sweep of real trainings that has ended."""
    bench = Bench(tmp_path_factory.mktemp("swept"))
    bench.write({"base": {"trainer": {"kernels": "reference"}, "probe": None}})
    assert bench.run(train_task) == 0
    return bench


@pytest.fixture
def bench(swept: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    mine = Bench(tmp_path)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(swept.out, mine.out)
    shutil.copy(swept.spec, mine.spec)
    return mine


COMMANDS = (
    ("sweep", "status", "runs/lr-eps", "--json"),
    ("sweep", "results", "runs/lr-eps", "--json"),
    ("sweep", "results", "sweep.yaml", "--out", "runs"),
    ("report", "runs/lr-eps"),
    ("sweep", "run", "sweep.yaml", "--out", "runs", "--workers", "0"),
)
"""From the folder in which the sweep's file lies: long paths are cut in errors."""


@pytest.mark.parametrize("name", ["result.json", "config.yaml", "metrics.jsonl", "model.safetensors"])
def test_what_lies_in_the_folders_of_a_sweep_s_trainings(
    name: str, swept: Bench, bench: Bench, spadam: Command
) -> None:
    """What is in the storage counts; the rest is for looking at."""
    wanted = spadam("sweep", "results", swept.folder, "--json").out
    attempts = sorted(bench.folder.glob("*/*/attempt-0"))
    ways = iter(WAYS.values())
    for act in ways:
        for folder in attempts:
            if (folder / name).is_file():
                act(folder / name)
            if (act := next(ways, act)) is None:
                break
    for command in COMMANDS:
        ended = spadam(*command)
        assert ended.code == 0, (command, ended.err)
        assert ended.out == wanted or "results" not in command or "--json" not in command
    assert not exploded(bench.out)


@pytest.mark.parametrize("way", WAYS)
def test_the_storage_of_a_sweep(way: str, bench: Bench, spadam: Command) -> None:
    """Every command gives what is there, or says which file is wrong; what can be read of it is believed."""
    act = WAYS[way]
    act(bench.folder / "sweep.db")
    for command in COMMANDS:
        ended = spadam(*command)
        assert ended.code in (0, 1, 2), command
        if ended.code:
            assert "runs/lr-eps" in ended.err, (command, ended)
            assert len(ended.err.splitlines()) <= 6, (command, ended)
    assert not exploded(bench.out)
