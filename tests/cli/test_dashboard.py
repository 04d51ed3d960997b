"""`spadam dashboard` as a person runs it: a process, its address, its warning, its end; and wrong input."""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spadam.cli import app, main
from spadam.sweep.store.connection import open_file
from spadam.sweep.store.studies import Studies

START = [sys.executable, "-W", "error", "-c", "from spadam.cli import main; main()", "dashboard"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the storage of a sweep."""
    folder = tmp_path / "small"
    folder.mkdir()
    with open_file(folder / "sweep.db") as storage:
        Studies(storage, "small", "minimize").describe({"plan": {}})
    return folder


def test_it_tells_its_address_serves_and_ends_with_ctrl_c(folder: Path) -> None:
    process = subprocess.Popen(
        [*START, str(folder), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Under a shell without job control, Ctrl-C would be ignored from birth.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"{address}api/studies", timeout=120) as answer:
            names = [study["study_name"] for study in json.load(answer)["study_summaries"]]
        assert names == ["small"]
        process.send_signal(signal.SIGINT)
        output, error = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert output == ""
    assert error == "It has no passwords and can change and delete studies. End it with Ctrl-C.\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "shows one storage"),
        (["nowhere"], "the folder must be there"),
        (["small", "--storage", "sqlite:///small/sweep.db"], "two are given"),
        (["--storage", "nonsense"], "it must be an address"),
    ],
)
def test_wrong_input_is_told_kindly(
    arguments: list[str],
    told: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr("sys.argv", ["spadam", "dashboard", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    output, error = capsys.readouterr()
    assert ended.value.code == 2
    assert output == ""
    assert told in error
    assert error.splitlines()[2].startswith("  remedy: ")


def test_help_says_that_it_has_no_passwords() -> None:
    shown = " ".join(CliRunner().invoke(app, ["dashboard", "--help"], env={"COLUMNS": "200"}).output.split())
    assert "it has no passwords, and whoever reaches it can rename and delete studies" in shown
