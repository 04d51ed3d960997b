"""What is left out when Lightning is imported, and by whom."""

import subprocess
import sys

import pytest

from support.paths import ROOT

pytestmark = pytest.mark.slow

LIGHTNING = """
import sys, pytorch_lightning
print("transformers" in sys.modules, "scipy.signal._signaltools" in sys.modules)
"""

ALL_THE_SAME = """
import torch, torchmetrics
metric = torchmetrics.MeanMetric()
metric.update(torch.tensor([1.0, 3.0]))
print(float(metric.compute()))
"""

BY_NAME = "from scipy.signal import convolve; print(*convolve([1, 2], [1, 1]))"

BY_ATTRIBUTE = "import scipy.signal.windows; print(*scipy.signal.windows.boxcar(2), *scipy.signal.convolve([1], [2]))"

VERSION = """
import sys
sys.argv = ["spadam", "--version"]
from spadam.cli import main
try: main()
except SystemExit: pass
"""


def said(*program: str) -> list[str]:
    command = [sys.executable, "-c", "\n".join(program)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def test_lightning_by_itself_imports_both() -> None:
    """So the others can fail."""
    assert said(LIGHTNING) == ["True True"]


@pytest.mark.parametrize(
    ("used", "expected"), [(BY_NAME, "1 3 2"), (BY_ATTRIBUTE, "1.0 1.0 2")], ids=["by name", "by attribute"]
)
def test_slim_it_imports_neither_and_what_is_used_is_there_all_the_same(used: str, expected: str) -> None:
    slim = "from spadam.training.slim import slim; slim(); slim()"
    assert said(slim, LIGHTNING, ALL_THE_SAME, used) == ["False False", "2.0", expected]


@pytest.mark.parametrize("process", [VERSION, "import spadam.sweep.running.preload"], ids=["command", "workers"])
def test_our_processes_are_slim(process: str) -> None:
    assert said(process, LIGHTNING)[-1] == "False False"
