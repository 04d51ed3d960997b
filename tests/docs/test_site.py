"""What the site adds to Sphinx: formulas, docstrings, and the check that no page asks another host for anything."""

import re
import textwrap
from pathlib import Path
from xml.etree import ElementTree

import pytest

from make import docstrings, mathml, offline
from support.paths import ROOT

SOURCES = sorted((ROOT / "spadam").rglob("*.py"))


def formulas() -> list[str]:
    found = []
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        for _, line, block in re.findall(r"^( *)\.\. math::(.*)\n((?:\1 +.*\n|\n)*)", text, re.MULTILINE):
            found.append((line if line.strip() else textwrap.dedent(block)).strip())
    return found


def test_every_formula_of_the_code_is_mathml() -> None:
    assert len(formulas()) >= 15
    for latex in formulas():
        written = mathml.block(latex)
        ElementTree.fromstring(written)  # well-formed: no bare & is left
        assert "\\" not in written, latex


def test_rows_of_a_formula_are_aligned() -> None:
    root = ElementTree.fromstring(mathml.block(r"a &= b + c \\ d &= e"))
    cells = [[cell.get("class") for cell in row] for row in root.iter("mtr")]
    assert cells == [["right", "left"], ["right", "left"]]
    assert "mtable" not in mathml.block("a = b")
    assert mathml.inline("a^2").startswith('<math display="inline">')


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/css">',
        '<img alt="" src="http://example/x.png">',
        '<p style="background: url(https://example/x.png)">',
        "<style>@import 'https://example/x.css';</style>",
    ],
)
def test_what_comes_from_another_host_is_found(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(offline.from_elsewhere(f"<html>{text}</html>", ".html")) == 1
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    assert offline.main(tmp_path) == 1
    assert "page.html: " in capsys.readouterr().err


def test_links_and_files_of_the_site_are_none(tmp_path: Path) -> None:
    text = '<a href="https://example.org">there</a><script src="_static/x.js"></script><link rel="license" href="//x">'
    assert offline.from_elsewhere(text, ".html") == []
    assert offline.from_elsewhere("/* https://x */ a { background: url(data:image/png;base64,AA) }", ".css") == []
    assert offline.main(tmp_path) == 1  # nothing was built
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    assert offline.main(tmp_path) == 0


def test_names_are_found_by_their_last_parts() -> None:
    known = ["spadam.optim.LazyAdam", "spadam.a.touched", "spadam.b.touched"]
    assert docstrings.find("LazyAdam", known) == ["spadam.optim.LazyAdam"]
    assert docstrings.find("Adam", known) == []
    assert docstrings.find("b.touched", known) == ["spadam.b.touched"]
    assert len(docstrings.find("touched", known)) == 2


def test_docstrings_are_mended() -> None:
    lines = ["where its ``files`` are, ``read``s them, and :class:`Row`s", "``a`` and ``b``"]
    docstrings.tidy(lines)
    assert lines == ["where its ``files`` are, ``read``\\ s them, and :class:`Row`\\ s", "``a`` and ``b``"]
    lines = ["Alias for field number 0"]
    docstrings.tidy(lines)
    assert lines == []


def test_signatures_name_parameters_as_torch_does() -> None:
    written = (
        "(params: ~collections.abc.Iterable[Tensor] | ~collections.abc.Iterable[tuple[str, Tensor]], lr: float = 1)"
    )
    assert docstrings.shorten(written) == "(params: ParamsT, lr: float = 1)"
    assert docstrings.shorten("(rows: list[int])") == "(rows: list[int])"
