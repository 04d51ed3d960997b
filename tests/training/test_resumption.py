"""A run goes on from its last two checkpoints, whatever has become of them: same bits, nothing executed, recorded."""

import hashlib
import itertools
import json
import logging
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spadam.config import RunConfig
from spadam.training import checkpoint, checkpoint_files, ledger
from spadam.training.checkpoint import AtomicCheckpointIO
from spadam.training.randomness import _restore, _states, generators
from spadam.training.result import RunResult
from spadam.training.run import run
from support import spoil
from support.short_training import Stop, config, rows, run_until, same, stop_at, weights

AT = (20, 25)
"""The steps of the checkpoints that the stopped run has left."""


@pytest.fixture(autouse=True)
def every_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spadam.training.telemetry._PROGRESS_SECONDS", 0.0)


def short() -> RunConfig:
    return config(trainer={"checkpoint_every": 5}, probe=None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    folder = tmp_path_factory.mktemp("whole") / "out"
    return folder, run(short(), folder)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_until(28, short(), tmp_path_factory.mktemp("stopped") / "out")


@pytest.fixture
def out(stopped: Path, tmp_path: Path) -> Path:
    """That folder, to do with as one likes."""
    return Path(shutil.copytree(stopped, tmp_path / "out"))


def path_of(out: Path, step: int) -> Path:
    return out / "checkpoints" / checkpoint_files.name_of(step)


def forge(path: Path, content: object) -> None:
    torch.save(content, path)
    spoil.seal(path)


def change(path: Path, **parts: Any) -> None:
    """Put a checkpoint with other ``parts`` in its place."""
    forge(path, {**torch.load(path, weights_only=True), **parts})


def bomb(path: Path) -> None:
    spoil.bomb(path, path.parent.parent / "exploded")
    spoil.seal(path)


def bomb_in_an_archive(path: Path) -> None:
    forge(path, {**torch.load(path, weights_only=True), "epoch": spoil.Bomb(path.parent.parent / "exploded")})


def without_digest(path: Path) -> None:
    checkpoint_files.digest_path(path).unlink()


DAMAGED: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut": (spoil.cut, "its content does not match its digest"),
    "empty": (spoil.empty, "its content does not match its digest"),
    "one bit": (spoil.flip, "its content does not match its digest"),
    "no digest": (without_digest, "its digest is missing"),
    "another digest": (lambda path: spoil.flip(checkpoint_files.digest_path(path)), "does not match its digest"),
    "a folder": (spoil.folder, "it is no file that can be read"),
    "a folder for a digest": (lambda path: spoil.folder(checkpoint_files.digest_path(path)), "its digest is missing"),
    "unreadable": (spoil.unreadable, "it is no file that can be read"),
    "a bomb": (bomb, "it is no checkpoint of this training (UnpicklingError)"),
    "a bomb in an archive": (bomb_in_an_archive, "it is no checkpoint of this training (UnpicklingError)"),
    "a list": (lambda path: forge(path, [1, 2]), "it is no checkpoint of this training"),
    "lacking": (lambda path: forge(path, {"state_dict": {}}), "it lacks callbacks, epoch, global_step, loops"),
    "another's": (lambda path: change(path, state_dict={}), "it is no checkpoint of this training (InputError)"),
    "another step's": (lambda path: change(path, global_step=20), "it is of step 20"),
    "noise": (lambda path: (spoil.noise(path), spoil.seal(path))[1], "it is no checkpoint of this training"),
}


def resumed(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((out / "result.json").read_text())["provenance"].get("resumed", [])
    return found


def check(out: Path, result: RunResult, whole: tuple[Path, RunResult]) -> None:
    """``result`` is that of a run that nothing has disturbed."""
    assert same(result, whole[1])
    assert weights(out) == weights(whole[0])
    assert rows(out) == rows(whole[0]), "every row once, in order"
    names = ["config.yaml", "metrics.jsonl", "model.safetensors", "result.json"]
    assert sorted(path.name for path in out.iterdir()) == names


def test_the_last_two_are_there_and_the_last_is_gone_on_from(
    out: Path, whole: tuple[Path, RunResult], caplog: pytest.LogCaptureFixture
) -> None:
    assert [checkpoint_files.step_of(path) for path in checkpoint_files.saved(out / "checkpoints")] == [*AT][::-1]
    assert all(checkpoint_files.damage(path_of(out, step)) is None for step in AT)
    check(out, run(short(), out), whole)
    assert resumed(out) == [{"step": 25, "damaged": []}]
    assert "resumed" not in whole[1].provenance
    assert not caplog.messages


@pytest.mark.parametrize("way", DAMAGED)
def test_a_damaged_one_is_passed_over_for_the_one_before_and_recorded(
    out: Path, whole: tuple[Path, RunResult], way: str, caplog: pytest.LogCaptureFixture
) -> None:
    act, said = DAMAGED[way]
    act(path_of(out, 25))
    with caplog.at_level(logging.WARNING):
        result = run(short(), out)
    check(out, result, whole)
    ((step, (told,)),) = [(each["step"], each["damaged"]) for each in resumed(out)]
    assert step == 20
    assert told.startswith("step-000000025.ckpt: ")
    assert said in told
    assert caplog.messages == [f"{out / 'checkpoints'}: damaged, going on from step 20 ({told})"]


def test_without_a_whole_one_it_starts_anew_and_says_so(
    out: Path, whole: tuple[Path, RunResult], caplog: pytest.LogCaptureFixture
) -> None:
    spoil.cut(path_of(out, 25))
    bomb(path_of(out, 20))
    with caplog.at_level(logging.WARNING):
        result = run(short(), out)
    check(out, result, whole)
    ((step, damaged),) = [(each["step"], each["damaged"]) for each in resumed(out)]
    assert (step, len(damaged)) == (0, 2)
    assert len(caplog.messages) == 1
    assert "starting anew" in caplog.messages[0]


def test_what_was_damaged_is_still_known_after_the_next_kill(out: Path, whole: tuple[Path, RunResult]) -> None:
    spoil.cut(path_of(out, 25))
    with pytest.raises(Stop):
        run(short(), out, progress=stop_at(33))
    assert [checkpoint_files.step_of(path) for path in checkpoint_files.saved(out / "checkpoints")] == [30, 25]
    check(out, run(short(), out), whole)
    assert [(each["step"], len(each["damaged"])) for each in resumed(out)] == [(20, 1), (30, 0)]


def test_a_damaged_one_is_no_reason_to_delete_a_whole_one(out: Path) -> None:
    """It has a higher number than those that are written next."""
    spoil.cut(path_of(out, 25))
    shutil.copy(path_of(out, 25), path_of(out, 900))
    with pytest.raises(Stop):
        run(short(), out, progress=stop_at(27))
    assert [checkpoint_files.step_of(path) for path in checkpoint_files.saved(out / "checkpoints")] == [25, 20]
    assert checkpoint_files.damage(path_of(out, 25)) is None, "written again"


@pytest.mark.parametrize(("line", "step"), [(0, 0), (1, 0), (-1, 25)])
def test_a_ledger_without_the_rows_of_a_checkpoint_is_as_bad_as_a_damaged_checkpoint(
    out: Path, whole: tuple[Path, RunResult], line: int, step: int
) -> None:
    """A row of the ledger is changed: one that both checkpoints knew, or one that came later."""
    path = out / "metrics.jsonl"
    if line == -1:
        path.write_bytes(path.read_bytes() + b'{"step": 26, "ma')
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b"1", b"7", 1)
    path.write_bytes(b"".join(lines))
    check(out, run(short(), out), whole)
    assert [each["step"] for each in resumed(out)] == [step]
    if step == 0:
        assert all("has not the rows" in told for told in resumed(out)[0]["damaged"])


@pytest.mark.parametrize("way", [spoil.empty, spoil.cut, spoil.noise, Path.unlink])
def test_a_ledger_that_is_gone_is_written_anew(out: Path, whole: tuple[Path, RunResult], way: Any) -> None:
    way(out / "metrics.jsonl")
    check(out, run(short(), out), whole)


def test_one_that_is_damaged_as_it_is_written_costs_none_of_those_before(
    tmp_path: Path, whole: tuple[Path, RunResult], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that says that it has written, and has not."""
    written: list[int] = []

    def spoilt(path: Path) -> None:
        written.append(checkpoint_files.step_of(path))
        if written[-1] in (15, 20):
            spoil.flip(path)

    monkeypatch.setattr(checkpoint_files, "forget_cached", spoilt)
    with pytest.raises(Stop):
        run(short(), tmp_path / "out", progress=stop_at(22))
    assert len(caplog.messages) == 2
    there = checkpoint_files.saved(tmp_path / "out" / "checkpoints")
    assert [checkpoint_files.step_of(path) for path in there] == [20, 15, 10, 5]
    assert checkpoint_files.latest(tmp_path / "out" / "checkpoints") == path_of(tmp_path / "out", 10)
    check(tmp_path / "out", run(short(), tmp_path / "out"), whole)


def test_a_checkpoint_is_read_once(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    load = torch.load
    monkeypatch.setattr(checkpoint.torch, "load", lambda *a, **b: (loaded.append(str(a[0])), load(*a, **b))[1])
    run(short(), out)
    assert loaded == [str(path_of(out, 25))]
    handed = AtomicCheckpointIO({"a": 1})
    assert handed.load_checkpoint("nowhere") == {"a": 1}
    with pytest.raises(FileNotFoundError):
        handed.load_checkpoint("nowhere")


def test_evaluations_are_on_the_disk_at_once_and_all_rows_of_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    sync, save, record = ledger.Ledger.sync, AtomicCheckpointIO.save_checkpoint, ledger.Ledger.record

    def recorded(self: Any, row: Any) -> None:
        events.append("evaluation" if "val/fvu" in row else "look")
        record(self, row)

    monkeypatch.setattr(ledger.Ledger, "record", recorded)
    monkeypatch.setattr(ledger.Ledger, "sync", lambda self: (events.append("sync"), sync(self))[1])
    monkeypatch.setattr(
        AtomicCheckpointIO,
        "save_checkpoint",
        lambda self, *a, **b: (events.append("checkpoint"), save(self, *a, **b))[1],
    )
    monkeypatch.setattr("spadam.training.telemetry.LOOK_EVERY", 4)
    run(config(trainer={"checkpoint_every": 10}, probe=None), tmp_path / "out")
    follows = list(itertools.pairwise(events))
    assert {after for event, after in follows if event == "evaluation"} == {"sync"}
    assert "sync" not in {after for event, after in follows if event == "look"} - {"sync"}
    assert {before for before, event in follows if event == "checkpoint"} == {"sync"}
    assert events.count("look") > events.count("evaluation")


def noisy() -> RunConfig:
    optimizer = {"name": "custom", "path": "support.noisy.NoisySGD", "gradient": "dense", "lr": 1e-2}
    return config(optimizer=optimizer, trainer={"checkpoint_every": 5}, probe=None)


def test_every_global_generator_goes_on_where_it_was(tmp_path: Path) -> None:
    before = (torch.get_rng_state(), np.random.get_state()[1], random.getstate())  # noqa: NPY002
    result = run(noisy(), tmp_path / "whole")
    after = (torch.get_rng_state(), np.random.get_state()[1], random.getstate())  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert np.array_equal(before[1], after[1])
    assert before[2] == after[2], "the caller's generators are left as they were"
    with pytest.raises(Stop):
        run(noisy(), tmp_path / "out", progress=stop_at(13))
    torch.rand(3), np.random.rand(5), random.random()  # noqa: NPY002
    assert same(run(noisy(), tmp_path / "out"), result)
    assert weights(tmp_path / "out") == weights(tmp_path / "whole")


def test_generators_are_kept_as_plain_values_and_depend_on_the_seed(tmp_path: Path) -> None:
    def drawn() -> tuple[float, float, float]:
        return torch.rand(()).item(), np.random.rand(), random.random()  # noqa: NPY002

    cpu, found = torch.device("cpu"), []
    for seed in (0, 1, 0):
        with generators(seed, cpu):
            kept = _states(cpu)
            found.append(drawn())
            forge(tmp_path / "state", kept)
            _restore(torch.load(tmp_path / "state", weights_only=True), cpu)
            assert drawn() == found[-1]
    assert found[0] == found[2] != found[1]


def test_digests_are_those_of_sha256sum(out: Path) -> None:
    path = path_of(out, 25)
    assert checkpoint_files.digest_path(path).read_text() == hashlib.sha256(path.read_bytes()).hexdigest()
