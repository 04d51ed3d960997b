"""Threads that wait give their core away soon, unless somebody has decided otherwise."""

import os
import subprocess
import sys

import pytest

from spadam.cli.waiting import SWITCH, TURNS, wait_briefly

SHOWN = """
import os, sys
from spadam.cli import main
sys.argv = ["spadam", "--version"]
try:
    main()
except SystemExit:
    pass
print(os.environ["GOMP_SPINCOUNT"], "torch" in sys.modules)
"""


def test_the_command_line_says_so_before_torch_is_there() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in (SWITCH, "OMP_WAIT_POLICY")}
    done = subprocess.run([sys.executable, "-c", SHOWN], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines()[-1] == f"{TURNS} False"


@pytest.mark.parametrize(("name", "value", "then"), [(SWITCH, "7", "7"), ("OMP_WAIT_POLICY", "ACTIVE", None)])
def test_who_has_decided_is_not_overruled(monkeypatch: pytest.MonkeyPatch, name: str, value: str, then: str) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setenv(name, value)
    wait_briefly()
    assert os.environ.get(SWITCH) == then
