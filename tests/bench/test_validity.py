"""benchmarks/validity.py: every section by its name, and what it says of few samples that carry the squares."""

import importlib
from collections.abc import Iterator
from types import ModuleType

import pytest

from support.paths import ROOT


@pytest.fixture
def validity(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("validity")


def test_sections_have_names_of_their_own(validity: ModuleType) -> None:
    names = [section.name for section in validity.SECTIONS]
    assert len(set(names)) == len(names)
    assert all(section.title and "," not in section.name for section in validity.SECTIONS)


def test_a_section_measures_before_and_after(validity: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    validity.main(["--only", "outliers", "--quick"])
    said = capsys.readouterr().out
    assert said.startswith("## Outliers\n")
    assert "## Scale" not in said
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in said.splitlines() if line.startswith("| ")]
    headings, before, after, masked = rows
    fvu, others, warnings = (headings.index(name) for name in ("val/fvu", "fvu of the others", "warnings"))
    assert (before[0], after[0], masked[0]) == ("before", "after", "after")
    assert float(before[fvu]) < 0.3 * float(before[others])
    assert before[warnings] == "outliers"
    for row in (after, masked):
        assert float(row[fvu]) == pytest.approx(float(row[others]), rel=0.01)  # of three digits
        assert row[warnings] == "none"


def test_a_section_that_is_not_there_is_told(validity: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        validity.main(["--only", "scale,nothing"])
    assert ended.value.code == 2
    names = ", ".join(section.name for section in validity.SECTIONS)
    assert f"--only nothing: choose from {names}" in capsys.readouterr().err
