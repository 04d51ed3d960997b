"""What an attempt takes over from those before it: which, what, and that a kill on the way loses nothing."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from spadam.config import RunConfig
from spadam.files import hold
from spadam.spec import dump
from spadam.training import checkpoint_files, inheritance
from spadam.training.inheritance import best_left, forget, inherit
from spadam.training.result import RunResult, read_result, write_result
from support import spoil
from support.short_training import Stop, config


def left(folder: Path, *steps: int, of: RunConfig | None = None) -> Path:
    """A folder as a killed attempt leaves it."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text(dump((of or config()).plain()))
    (folder / "metrics.jsonl").write_text("".join(f'{{"step": {step}}}\n' for step in steps))
    for step in steps:
        path = folder / "checkpoints" / checkpoint_files.name_of(step)
        path.write_bytes(f"weights of step {step}".encode())
        path.with_name(path.name + ".sha256").write_text(hashlib.sha256(path.read_bytes()).hexdigest())
    return folder


def steps(folder: Path) -> list[int]:
    """The whole checkpoints of a folder, the newest first."""
    found = checkpoint_files.saved(folder / "checkpoints")
    return [checkpoint_files.step_of(path) for path in found if checkpoint_files.damage(path) is None]


def newest(folder: Path) -> Path:
    return checkpoint_files.saved(folder / "checkpoints")[0]


def test_the_folder_with_the_newest_whole_checkpoint_is_the_best(tmp_path: Path) -> None:
    first, second = left(tmp_path / "0", 5, 10), left(tmp_path / "1", 5)
    assert best_left([], config()) is None
    assert best_left([tmp_path / "none", tmp_path], config()) is None
    assert best_left([first, second], config()) == best_left([second, first], config()) == first
    spoil.flip(newest(first))
    assert best_left([first, second], config()) == second, "of equals the last"
    assert best_left([second, first], config()) == first
    spoil.empty(newest(second))
    assert best_left([first, second], config()) == first
    assert best_left([left(tmp_path / "2")], config()) is None


def test_only_the_same_configuration_counts(tmp_path: Path) -> None:
    other, mine = left(tmp_path / "0", 10, of=config(seed=9)), left(tmp_path / "1", 5)
    assert best_left([other, mine], config()) == mine
    elsewhere = config(data={"root": "elsewhere"}, trainer={"accelerator": "cpu"})
    assert best_left([mine], elsewhere) == mine, "where it is trained does not matter"
    for spoilt in (spoil.empty, spoil.noise, spoil.folder, spoil.unreadable):
        spoilt(mine / "config.yaml")
        assert best_left([other, mine], config()) is None
    (other / "config.yaml").unlink()
    assert best_left([other], config()) is None


def test_ledger_and_checkpoints_are_taken_over_and_leave_the_folder_that_they_were_in(tmp_path: Path) -> None:
    older, source, out = left(tmp_path / "0", 5), left(tmp_path / "1", 5, 10), tmp_path / "2"
    ledger = (source / "metrics.jsonl").read_bytes()
    assert inherit(config(), (older, source), out) == source
    assert steps(out) == [10, 5]
    assert (out / "metrics.jsonl").read_bytes() == ledger
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == [
        *("step-000000005.ckpt", "step-000000005.ckpt.sha256", "step-000000010.ckpt", "step-000000010.ckpt.sha256")
    ]
    assert not (source / "checkpoints").exists()
    assert steps(older) == [5]
    assert inherit(config(), (older, source), out) is None
    forget((older, source))
    for folder in (older, source):
        assert not (folder / "checkpoints").exists()
        assert {"config.yaml", "metrics.jsonl"} <= {path.name for path in folder.iterdir()}, "the rest stays"
    assert steps(out) == [10, 5]


def test_a_damaged_one_is_not_taken_over(tmp_path: Path) -> None:
    source, out = left(tmp_path / "0", 5, 10), tmp_path / "1"
    spoil.bomb(newest(source), tmp_path / "exploded")
    assert inherit(config(), (source,), out) == source
    assert steps(out) == [5]
    assert not (tmp_path / "exploded").exists()


def test_what_the_attempt_has_of_its_own_comes_first(tmp_path: Path) -> None:
    source, out = left(tmp_path / "0", 10), left(tmp_path / "1", 5)
    assert inherit(config(), (source,), out) is None
    assert steps(out) == [5]
    (out / "result.json").touch()
    (out / "checkpoints" / "step-000000005.ckpt").unlink()
    assert inherit(config(), (source,), out) is None
    assert steps(source) == [10]


def test_a_result_that_nobody_has_heard_of_is_taken_over(tmp_path: Path) -> None:
    """Its attempt was killed when it had removed its checkpoints already."""
    older, source = left(tmp_path / "0", 10), left(tmp_path / "1")
    result = RunResult("complete", {"val/fvu": 0.5}, {}, [], config().plain(), {}, [])
    write_result(result, source)
    assert inherit(config(), (older, source), tmp_path / "2") == older, "it has no weights"
    (source / "model.safetensors").write_bytes(b"weights")
    (older / "result.json").write_text("half of")
    assert inherit(config(), (older, source), tmp_path / "3") == source
    assert read_result(config(), tmp_path / "3") == result
    names = {"config.yaml", "metrics.jsonl", "model.safetensors", "result.json", ".lock"}
    assert {path.name for path in (tmp_path / "3").iterdir()} == names


def test_nothing_is_made_where_nothing_was_left(tmp_path: Path) -> None:
    assert inherit(config(), (), tmp_path / "out") is None
    assert inherit(config(), (tmp_path / "0", left(tmp_path / "1", 3, of=config(seed=9))), tmp_path / "out") is None
    assert not (tmp_path / "out").exists()


def test_a_folder_in_which_somebody_is_at_work_is_left_alone(tmp_path: Path) -> None:
    older, source = left(tmp_path / "0", 5), left(tmp_path / "1", 10)
    with hold(source):
        assert inherit(config(), (older, source), tmp_path / "out") == older
    assert steps(source) == [10]
    assert steps(tmp_path / "out") == [5]


def test_a_file_system_without_second_names_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    source = left(tmp_path / "0", 5, 10)
    inherit(config(), (source,), tmp_path / "1")
    assert steps(tmp_path / "1") == [10, 5]


def test_a_kill_at_any_moment_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call that changes the disk is the last one once; the next attempt finds the newest checkpoint, and rows."""
    for number in range(100):
        calls = 0

        def killed(act: Any, number: int = number) -> Any:
            def call(*given: Any, **named: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls > number:
                    raise Stop
                return act(*given, **named)

            return call

        place = tmp_path / str(number)
        attempts = [left(place / "0", 5, 10), place / "1", place / "2"]
        ledger = (attempts[0] / "metrics.jsonl").read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(os, "link", killed(os.link))
            for name in ("mkdir", "touch", "replace", "unlink", "rmdir", "write_bytes"):
                patch.setattr(Path, name, killed(getattr(Path, name)))
            try:
                inherit(config(), attempts[:1], attempts[1])
            except Stop:
                ended = False
            else:
                ended = True
        inherit(config(), attempts[:2], attempts[2])
        assert steps(attempts[2])[0] == 10
        assert (attempts[2] / "metrics.jsonl").read_bytes() == ledger
        forget(attempts[:2])
        assert not list(place.glob("[01]/checkpoints"))
        if ended:
            assert number > 10, "there was something to interrupt"
            return
    raise AssertionError


def test_neither_torch_nor_lightning_is_needed() -> None:
    """An agent asks, and has neither at hand."""
    import subprocess
    import sys

    script = f"import sys\nimport {inheritance.__name__}\nprint({{'torch', 'pytorch_lightning'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
