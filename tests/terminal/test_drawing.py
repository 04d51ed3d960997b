"""What is said while figures are drawn."""

import io

import pytest
from rich.console import Console

from spadam.terminal import drawing


@pytest.mark.parametrize(("patience", "said"), [(60.0, ""), (-1.0, "drawing 3 figures\n")])
def test_a_log_has_one_line_when_it_takes_long(monkeypatch: pytest.MonkeyPatch, patience: float, said: str) -> None:
    monkeypatch.setattr(drawing, "_PATIENCE_SECONDS", patience)
    console = Console(file=io.StringIO(), width=80)
    with drawing.drawing(console) as told:
        for done in range(4):
            told(done, 3)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == said


def test_a_terminal_is_told_how_many_are_done() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    with drawing.drawing(console) as told:
        told(0, 3)
        told(2, 3)
    assert isinstance(console.file, io.StringIO)
    assert "drawing 3 figures, 2 done" in console.file.getvalue()
