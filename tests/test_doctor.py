"""`spadam doctor`: what it finds, what is a problem, and that nothing stays, hangs, breaks, or tells a secret."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import wandb

from spadam import doctor
from spadam.cli import main
from spadam.doctor import Asked, Finding, examine

SECRET = "pa%24s-w0rd"
ADDRESS = f"postgresql+psycopg://me:{SECRET}@127.0.0.1:1/sweeps"
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

Call = Callable[..., tuple[int, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Run `spadam doctor …` in an empty folder, W&B out of reach: (exit code, what it printed)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    wandb.teardown()  # its client reads the environment once in a process

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["spadam", "doctor", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = "".join(capsys.readouterr())
        assert "k" * 40 not in printed
        return int(ended.value.code or 0), printed

    return run


def checks(printed: str) -> dict[str, dict[str, str]]:
    return {check.pop("check"): check for check in json.loads(printed)["checks"]}


def look(check: str, **asked: Any) -> Finding:
    """What one check finds."""
    about = Asked(**{"out": Path("runs"), "storage": ADDRESS, **asked})
    return doctor._checks(about)[check][0](about)


def test_a_sound_machine_has_no_problem_and_stays_as_it_is(call: Call, tmp_path: Path) -> None:
    code, printed = call("--json")
    assert code == 0
    assert json.loads(printed)["ok"] is True
    found = checks(printed)
    assert {found[name]["state"] for name in ("python", "packages", "kernels", "results")} == {"ok"}
    assert "torch 2." in found["packages"]["found"]
    assert found["W&B"]["state"] == "note"
    assert "http://127.0.0.1:9" in found["W&B"]["found"]
    assert not any(tmp_path.iterdir())


def test_the_table_reads_without_a_terminal(call: Call) -> None:
    code, printed = call()
    assert code == 0
    assert "\x1b" not in printed
    assert all(len(line) <= 80 for line in printed.splitlines())
    assert any(line.split()[:2] == ["python", "ok"] for line in printed.splitlines())
    assert "remedy: runs are kept offline" in printed


def test_a_problem_ends_with_1_and_has_a_remedy(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, printed = call("--json", "--out", "file/runs")
    assert code == 1
    assert json.loads(printed)["ok"] is False
    wrong = {name: check for name, check in checks(printed).items() if check["state"] == "problem"}
    assert list(wrong) == ["results"]
    assert wrong["results"]["found"].endswith("file is no folder")
    assert "choose another --out" in wrong["results"]["remedy"]


def test_storage_that_does_not_answer_is_a_problem_without_its_password(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, printed = call("--storage", ADDRESS)
    assert code == 1
    assert "would stand in the list of processes" in " ".join(printed.split())
    assert SECRET not in printed
    monkeypatch.setenv("SPADAM_STORAGE", ADDRESS)
    code, printed = call()
    assert code == 1
    assert "it must answer" in " ".join(printed.split())
    assert SECRET not in printed
    assert "pa$s-w0rd" not in printed


def test_storage_that_answers_tells_its_sweeps(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'sweep.db'}"
    storage = optuna.storages.RDBStorage(url)
    for name in ("first", "first/adam/search-0", "second"):
        optuna.create_study(storage=storage, study_name=name)
    storage.remove_session()
    storage.engine.dispose()
    assert look("storage", storage=url) == Finding("ok", "answers; it holds first, second")


def test_a_missing_package_and_a_wrong_release_are_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "optuna":
            raise doctor.PackageNotFoundError(name)
        return "2.6.3" if name == "pytorch-lightning" else installed(name)

    installed = doctor.version
    monkeypatch.setattr(doctor, "version", version)
    found = look("packages")
    assert found.state == "problem"
    assert "optuna is missing" in found.found
    assert '"pytorch-lightning<2.7,>=2.6.6"' in found.remedy
    assert "torch>=2.14" not in found.remedy


@pytest.mark.parametrize("inside", ["", "MNIST/raw"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_data_is_found_where_trainings_look_for_it(inside: str, ending: str, tmp_path: Path) -> None:
    folder = tmp_path / inside
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (folder / f"{name}{ending}").touch()
    found = look("mnist", data_root=tmp_path)
    assert (found.state, found.found) == ("ok", f"in {folder}; `data.root: {tmp_path}` takes it")


def test_data_that_is_missing_is_a_note_and_half_a_set_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    absent = look("mnist", data_root=tmp_path / "nowhere")
    assert absent.state == "note"
    assert absent.found.startswith(f"not in {tmp_path / 'nowhere'}, data;")
    Path("data").mkdir()
    (Path("data") / f"{FILES[0]}.gz").touch()
    half = look("mnist")
    assert half.state == "problem"
    assert half.found == "data lacks " + ", ".join(f"{name}.gz" for name in FILES[1:])
    assert os.listdir("data") == [f"{FILES[0]}.gz"]


@pytest.mark.parametrize(
    ("files", "state", "text"),
    [
        ({"/proc/meminfo": "MemTotal:  9000000 kB\nMemAvailable:  5000000 kB"}, "ok", "5.1 of 9.2 GB free"),
        ({"/proc/meminfo": "MemTotal:  9000000 kB\nMemAvailable:  500000 kB"}, "note", "0.5 of 9.2 GB free"),
        (
            {
                "/proc/meminfo": "MemTotal:  9000000 kB\nMemAvailable:  5000000 kB",
                "/sys/fs/cgroup/memory.max": "2000000000\n",
                "/sys/fs/cgroup/memory.current": "1500000000\n",
            },
            "note",
            "0.5 of 2.0 GB free",
        ),
        ({}, "note", "not known"),
    ],
)
def test_memory_is_that_of_the_machine_or_of_a_container_in_it(
    files: dict[str, str], state: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_read", lambda path: files.get(path, ""))
    found = look("memory")
    assert found.state == state
    assert text in found.found


@pytest.mark.parametrize(
    ("allowed", "state", "text"),
    [
        (None, "ok", "3 usable of"),
        (3.0, "ok", "3 usable of"),
        (2.5, "note", "3 usable of"),
        (0.5, "note", "but only 0.5 cores' time is allowed here"),
    ],
)
def test_a_quota_that_leaves_cores_idle_is_a_note(
    allowed: float | None, state: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spadam.machine.runnable", lambda: 3)
    monkeypatch.setattr("spadam.machine.quota", lambda: allowed)
    found = look("cores")
    assert found.state == state
    assert text in found.found


def test_a_check_that_breaks_or_hangs_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_: Asked) -> Finding:
        raise RuntimeError(f"no way to {ADDRESS} with pa$s-w0rd")

    def hangs(_: Asked) -> Finding:
        released.wait(60)
        return Finding("ok", "late")

    released = threading.Event()
    monkeypatch.setattr(doctor, "_checks", lambda _: {"breaks": (breaks, 5), "hangs": (hangs, 0.05)})
    begun: list[str] = []
    found = examine(Asked(Path("runs"), storage=ADDRESS), begun.append)
    released.set()
    assert begun == ["breaks", "hangs"]
    assert {finding.state for finding in found.values()} == {"problem"}
    assert (
        found["breaks"].found
        == "the check broke: RuntimeError: no way to " + ADDRESS.replace(SECRET, "***") + " with ***"
    )
    assert "within 0.05 seconds" in found["hangs"].found
