"""A command that is interrupted: one sentence, the exit code of the signal, and nothing left behind."""

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import spadam.cli
from spadam.cli import main
from spadam.cli.interruption import signals_taken, starts
from spadam.spec import dump, merge
from spadam.training.interruption import SIGNALS, Interrupted, exit_code
from support.sweep_bench import SPEC

COMMAND = [sys.executable, "-c", "from spadam.cli import program; program()"]
ENDLESS = merge(SPEC, {"base": {"trainer": {"steps": 10**7}}, "search": {"trials": 40}})
HERE, CHECKPOINT = (f"interrupted: the same command goes on from {what}" for what in ("here", "the last checkpoint"))


class Command:
    """`spadam` with ``arguments`` in a process group of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=folder,
            # torch makes a folder of its own where it is told to, or in TMPDIR.
            env={**os.environ, "TMPDIR": str(self.temporary), "TORCHINDUCTOR_CACHE_DIR": str(folder / "torch")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            # Under a shell without job control, Ctrl-C would be ignored from birth.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def wait_for(self, folder: Path, pattern: str) -> None:
        deadline = time.monotonic() + 300
        while not any(folder.glob(pattern)):
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def end(self, number: int) -> tuple[int, str]:
        os.killpg(self.process.pid, number)
        output, _ = self.process.communicate(timeout=300)
        deadline = time.monotonic() + 120
        while self._somebody_is_left():
            assert time.monotonic() < deadline, "a process is left"
            time.sleep(0.05)
        return self.process.returncode, output

    def _somebody_is_left(self) -> bool:
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.15, 0.6, 1.5, 2.5, 4.0])
def test_a_sweep_at_any_moment(seconds: float, tmp_path: Path) -> None:
    """Also while everything is being imported, where what is raised gets lost."""
    (tmp_path / "sweep.yaml").write_text(dump(ENDLESS))
    command = Command(tmp_path, "sweep", "run", "sweep.yaml", "--workers", "1")
    time.sleep(seconds)
    assert command.end(signal.SIGINT) == (130, f"{HERE}\n")


@pytest.mark.slow
def test_a_sweep_that_trains_in_its_own_process(tmp_path: Path) -> None:
    """Lightning hears SIGTERM too, and must not make an error of it."""
    (tmp_path / "sweep.yaml").write_text(dump(ENDLESS))
    command = Command(tmp_path, "sweep", "run", "sweep.yaml", "--workers", "0")
    command.wait_for(tmp_path, "runs/lr-eps/*/*/*/metrics.jsonl")
    assert command.end(signal.SIGTERM) == (143, f"{HERE}\n")
    assert (tmp_path / "runs/lr-eps/trials.csv").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_a_training(number: int, code: int, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(dump({**ENDLESS["base"], "optimizer": {"name": "adam"}}))
    command = Command(tmp_path, "train", "run.yaml")
    command.wait_for(tmp_path, "runs/metrics.jsonl")
    assert command.end(number) == (code, f"{CHECKPOINT}\n")


@pytest.mark.slow
def test_a_plan_leaves_no_folder_behind(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(dump(SPEC))
    command = Command(tmp_path, "sweep", "plan", "sweep.yaml")
    command.wait_for(command.temporary, "*/*/*.yaml")
    assert command.end(signal.SIGTERM) == (143, "interrupted\n")
    assert not list(command.temporary.iterdir())


def test_what_nohup_has_turned_off_stays_off() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_taken():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


class Swallows:
    """What is raised in a destructor comes to nobody."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_that_was_swallowed_comes_once_more() -> None:
    def work() -> None:
        Swallows()
        time.sleep(60)

    with signals_taken(), pytest.raises(Interrupted) as caught:
        work()
    assert exit_code(caught.value) == 143


class Halves:
    """A destructor that must not be left in the middle."""

    done = False

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)
        Halves.done = True


def test_a_destructor_comes_to_its_end() -> None:
    def work() -> None:
        Halves()
        time.sleep(60)

    with signals_taken(), pytest.raises(Interrupted):
        work()
    assert Halves.done


class Constructed:
    """Its destructor wants what its constructor makes."""

    def __init__(self) -> None:
        signal.raise_signal(signal.SIGTERM)
        self.things = [1]

    def __del__(self) -> None:
        self.things.clear()


def test_nothing_is_said_of_what_was_only_half_made(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither at once nor when the program ends, which keeps what was at work until then."""
    kept: list[BaseException] = []

    def interrupted() -> None:
        with signals_taken():
            try:
                Constructed()
            except Interrupted as interruption:
                kept.append(interruption)
                sys.exit(exit_code(interruption))

    monkeypatch.setattr(spadam.cli, "main", interrupted)
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        with pytest.raises(SystemExit):
            spadam.cli.program()
        kept.clear()
        gc.collect()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert capfd.readouterr().err == ""


def test_before_a_command_begins_the_program_leaves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[int] = []

    def leave(code: int) -> None:
        said.append(code)
        raise SystemExit

    monkeypatch.setattr("os._exit", leave)
    starts(True)
    try:
        with signals_taken(), pytest.raises(SystemExit):
            signal.raise_signal(signal.SIGTERM)
    finally:
        starts(False)
    assert said == [143]


def test_a_program_that_begins_no_command_leaves_nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["spadam", "--version"])
    with pytest.raises(SystemExit):
        main()
    with signals_taken(), pytest.raises(Interrupted):
        signal.raise_signal(signal.SIGTERM)


def test_one_in_an_import_ends_the_program_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tries.py").write_text(
        "import signal\ntry:\n    signal.raise_signal(signal.SIGINT)\nexcept BaseException:\n    pass\n"
    )
    said: list[Any] = []

    def leave(code: int) -> None:
        said.append(code)
        raise SystemExit

    monkeypatch.setattr("os._exit", leave)
    monkeypatch.syspath_prepend(tmp_path)
    with signals_taken():
        import tries  # type: ignore[import-not-found]  # noqa: F401
    assert said == [130]
