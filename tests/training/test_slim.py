"""What is left out when Lightning is imported, and by whom."""

import subprocess
import sys

import pytest

from support.paths import ROOT

LIGHTNING = "import sys; import pytorch_lightning; print('transformers' in sys.modules)"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("", "True"),  # so this test can fail: transformers is here, and plain Lightning imports it
        ("from spadam.training.slim import slim; slim(); slim(); ", "False"),
        ("import spadam.sweep.running.preload; ", "False"),
    ],
)
def test_our_processes_import_lightning_without_transformers(before: str, expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", before + LIGHTNING], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == expected


def test_metrics_are_there_all_the_same() -> None:
    program = (
        "from spadam.training.slim import slim; slim(); import torch, torchmetrics; m = torchmetrics.MeanMetric(); "
    )
    program += "m.update(torch.tensor([1.0, 3.0])); print(float(m.compute()))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2.0"


def test_the_command_line_is_slim() -> None:
    program = (
        "import sys; sys.argv = ['spadam', '--version']; from spadam.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n" + LIGHTNING
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"
