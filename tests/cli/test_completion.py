"""Completion by the Tab key, as a shell asks for it: the right words, and nothing heavy imported for them."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAVY = {
    "torch",
    "optuna",
    "wandb",
    "pytorch_lightning",
    "sklearn",
    "numpy",
    "plotly",
    "sqlalchemy",
    "optuna_dashboard",
}
COMPLETE = f"""
import sys
sys.argv = ["spadam"]
from spadam.cli import main
try:
    main()
except SystemExit:
    pass
assert not {HEAVY} & set(sys.modules)
"""


def complete(line: str) -> list[str]:
    """What bash is given for ``line``, the cursor at its end."""
    words = line.split(" ")
    environment = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_SPADAM_COMPLETE": "complete_bash"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", COMPLETE], env=os.environ | environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("spadam sw", ["sweep"]),
        ("spadam d", ["doctor", "dashboard"]),
        ("spadam list op", ["optimizers"]),
        ("spadam schema ", ["run", "sweep"]),
        ("spadam doctor --da", ["--data-root"]),
        ("spadam sweep run ", []),  # bash then completes files
    ],
)
def test_words_are_completed_and_nothing_heavy_is_imported(line: str, words: list[str]) -> None:
    assert complete(line) == words


def test_a_sweep_file_is_completed_in_a_real_shell(tmp_path: Path) -> None:
    (tmp_path / "lr-and-eps.yaml").touch()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    asked = ["spadam", "--show-completion", "bash"]
    told = {
        "PATH": path,
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }  # which shell runs the tests is no matter
    shown = subprocess.run(asked, env=os.environ | told, capture_output=True, check=False)
    assert shown.returncode == 0, shown.stderr.decode()
    (tmp_path / "completion").write_bytes(shown.stdout)
    terminal, far_end = pty.openpty()
    bash = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        stdin=far_end,
        stdout=far_end,
        stderr=far_end,
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "PS1": "> ", "TERM": "dumb", "INPUTRC": "/dev/null"},
        start_new_session=True,
    )
    os.close(far_end)
    try:
        read(terminal, "> ")
        os.write(terminal, b". ./completion\n")
        read(terminal, "> ")
        os.write(terminal, b"spadam sweep run lr\t")
        assert "lr-and-eps.yaml" in read(terminal, r"\.yaml")
    finally:
        os.close(terminal)
        bash.kill()
        bash.wait()


def read(terminal: int, pattern: str) -> str:
    """What the terminal shows until ``pattern`` is in it, or for two minutes."""
    shown, end = "", time.monotonic() + 120
    while not re.search(pattern, shown) and time.monotonic() < end:
        if select.select([terminal], [], [], 0.5)[0]:
            shown += os.read(terminal, 4096).decode()
    return shown
