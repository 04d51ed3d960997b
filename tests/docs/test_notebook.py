"""docs/quickstart.ipynb runs from its first cell to its last, and is committed without outputs."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from support.paths import ROOT

NOTEBOOK = ROOT / "docs/quickstart.ipynb"


def read(path: Path) -> NotebookNode:
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def test_it_is_committed_without_outputs() -> None:
    cells = [cell for cell in read(NOTEBOOK).cells if cell.cell_type == "code"]
    assert len(cells) >= 5
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


@pytest.mark.slow
def test_it_runs(tmp_path: Path) -> None:
    """In a kernel of its own, as Jupyter runs it."""
    shutil.copy(NOTEBOOK, tmp_path)
    command = [sys.executable, "-c", "from nbclient.cli import main; main()", "--inplace", NOTEBOOK.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cells = [cell for cell in read(tmp_path / NOTEBOOK.name).cells if cell.cell_type == "code"]
    told = ["".join(output.get("text", "") or output["data"]["text/plain"] for output in c.outputs) for c in cells]
    assert told[0] == "'complete'"
    assert told[1].count("val/fvu") >= 4
    assert told[-2].count("lazy_adam") == 4  # trials
    assert told[-1].count("test/fvu") == 2  # variants
