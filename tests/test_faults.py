"""A process dies at the point that was ordered, as often as was ordered, and nowhere else."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from spadam.faults import DIE_AT, POINTS, is_ordered, reach
from spadam.spec import InputError
from support.paths import ROOT

THREE_TIMES = "from spadam.faults import reach\nfor n in range(3):\n    print(n, flush=True)\n    reach('agent: told')"


def come_there(order: str) -> tuple[int, int]:
    """How a process ends that comes to one point three times, and how often it came there."""
    done = subprocess.run(
        [sys.executable, "-c", THREE_TIMES],
        env={**os.environ, DIE_AT: order, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    return done.returncode, len(done.stdout.splitlines())


def test_it_dies_where_it_was_ordered() -> None:
    assert come_there("agent: told") == (-signal.SIGKILL, 1)
    assert come_there("agent: told #3") == (-signal.SIGKILL, 3)
    assert come_there("agent: told#4") == (0, 3)
    assert come_there("agent: handed over") == (0, 3)


def test_with_a_file_only_the_first_one_dies(tmp_path: Path) -> None:
    order = f"agent: told#2@{tmp_path / 'has died'}"
    assert come_there(order) == (-signal.SIGKILL, 2)
    assert come_there(order) == (0, 3)


def test_an_order_that_names_no_point_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    reach("agent: told")  # nothing was ordered
    assert not is_ordered("agent: told")
    monkeypatch.setenv(DIE_AT, "agent: tolled")
    with pytest.raises(InputError, match="agent: handed over"):
        reach("agent: told")


def test_each_point_is_reached_somewhere() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "spadam").rglob("*.py") if path.name != "faults.py")
    assert [point for point in POINTS if f'"{point}"' not in code] == []
