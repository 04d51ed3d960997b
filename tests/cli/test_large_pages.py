"""Large pages: asked for by the command line before torch is imported, unless somebody has decided otherwise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spadam.cli.large_pages import SWITCH, ask_for_large_pages

ENABLED = Path("/sys/kernel/mm/transparent_hugepage/enabled")
TENSOR = """
import os, sys
from spadam.cli import main
sys.argv = ["spadam", "--version"]
try:
    main()
except SystemExit:
    pass
import torch
kept = torch.ones(1 << 24)
print("asked:", os.environ["THP_MEM_ALLOC_ENABLE"])
for line in open("/proc/self/smaps") if os.path.exists("/proc/self/smaps") else ():
    first, *rest = line.split()
    if "-" in first:
        start, end = (int(address, 16) for address in first.split("-"))
    if first == "VmFlags:" and start <= kept.data_ptr() < end:
        print("flags:", *rest)
"""


def told(**more: str) -> dict[str, list[str]]:
    environment = {name: value for name, value in os.environ.items() if name != SWITCH} | more
    done = subprocess.run([sys.executable, "-c", TENSOR], capture_output=True, text=True, check=True, env=environment)
    lines = (line.split() for line in done.stdout.splitlines())
    return {first: rest for first, *rest in lines}


@pytest.mark.slow
def test_the_command_line_asks_for_large_pages() -> None:
    """The mapping that holds a large tensor carries Linux's mark for it, where it knows such a thing."""
    found = told()
    assert found["asked:"] == ["1"]
    assert "hg" in found.get("flags:", []) or not ENABLED.exists()
    assert "hg" not in told(THP_MEM_ALLOC_ENABLE="0").get("flags:", [])


def test_who_has_decided_is_not_overruled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "0")
    ask_for_large_pages()
    assert os.environ[SWITCH] == "0"
    monkeypatch.delenv(SWITCH)
    ask_for_large_pages()
    assert os.environ.pop(SWITCH) == "1"
