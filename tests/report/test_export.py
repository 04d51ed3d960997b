"""Figures and tables for a paper: whole by themselves, of the right colours, escaped, and refused before they fail."""

import importlib.abc
import io
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import plotly.graph_objects as go
import pytest
from PIL import Image
from typer.testing import CliRunner

import spadam.report
from spadam.cli import app
from spadam.report.export import latex, markdown
from spadam.report.export.composition import Figure, compose
from spadam.report.export.noted import Noted, Number, noted
from spadam.report.export.paper import FONT, colours
from spadam.report.figures import FIGURES
from spadam.report.section import Ramp, Section
from spadam.spec import InputError
from support.report_bench import Desk

NAMES = ("cost", "diagnostics", "best-so-far", "codes", "comparison", "curves", "density", "landscape", "response")
NASTY = "50% of {a_b} & $x^2$ ~ #1 \\ ± ↓ é 😀 | <b> *c* [d] `e`\n"


def sections(desk: Desk) -> list[Section]:
    return [section for draw in FIGURES if (section := draw(desk.outcome())).panels]


def figures(desk: Desk) -> list[tuple[Section, Figure]]:
    return [(section, compose(section, "lr-eps")) for section in sections(desk)]


def refused(*arguments: str) -> InputError:
    error = CliRunner().invoke(app, ["report", *arguments]).exception
    assert isinstance(error, InputError), error
    return error


def test_a_figure_is_plotlys_and_has_every_panel_of_its_section(ended: Desk) -> None:
    for section, figure in figures(ended):
        drawn = go.Figure({"data": figure.data, "layout": figure.layout})  # raises where a word is not plotly's
        assert len(figure.data) >= sum(len(panel.data) for panel in section.panels.values())
        texts = " ".join(note.text for note in drawn.layout.annotations)
        titles = {
            figure.layout[axis]["title"]["text"]
            for axis in figure.layout
            if axis[1:5] == "axis" and "title" in figure.layout[axis]
        }
        for panel in section.panels.values():
            assert panel.head.text in texts
            shown = [panel.layout[axis] for axis in ("xaxis", "yaxis")]
            assert {axis["title"]["text"] for axis in shown if axis.get("visible", True)} <= titles
        assert section.title in texts
        assert "lr-eps" in texts
        for chip in () if isinstance(section.legend, Ramp) else section.legend:
            assert f"<b>{chip.said}</b>" in texts


def test_a_figure_has_colours_and_a_font_that_a_viewer_knows(ended: Desk) -> None:
    for _, figure in figures(ended):
        text = json.dumps([figure.data, figure.layout])
        assert "var(" not in text
        assert "inherit" not in text
        assert figure.layout["font"]["family"] == FONT
    css = (Path(spadam.report.__file__).parent / "page.css").read_text()
    assert colours()["--v0"] in css.partition("@media")[0]
    assert set(re.findall(r"var\((--[a-z0-9]+)\)", css)) - {"--height"} <= set(colours())


def test_panels_lie_beside_each_other_within_the_figure(ended: Desk) -> None:
    for section, figure in figures(ended):
        boxes = []
        for n in range(1, len(section.panels) + 1):
            number = "" if n == 1 else str(n)
            x, y = (figure.layout[f"{axis}axis{number}"]["domain"] for axis in "xy")
            assert 0 < x[0] < x[1] < 1
            assert 0 < y[0] < y[1] < 1
            boxes.append((*x, *y))
        for n, (left, right, low, high) in enumerate(boxes):
            for other in boxes[n + 1 :]:
                assert right <= other[0] or other[1] <= left or high <= other[2] or other[3] <= low
        assert figure.width <= 900


def test_the_table_says_once_what_must_be_known(ended: Desk) -> None:
    table = noted(ended.outcome())
    assert [row[0].text for row in table.body] == ["adam", "lazy"]
    assert table.letters[-1][1] == "n 3: too few"
    letter = table.letters[-1][0]
    intervals = [cell for row in table.body for cell in row if "±" in cell.text]
    assert len(intervals) == 6
    assert {cell.letter for cell in intervals} == {letter}
    assert "95 % interval of the mean over n fresh seeds" in table.notes[0]


def test_what_nobody_need_be_careful_about_stands_below_the_table_only(desk: Desk) -> None:
    desk.bench.write({"repeat": {"seeds": 5}})
    assert desk.run() == 0
    table = noted(desk.outcome())
    assert {cell.letter for row in table.body for cell in row if "±" in cell.text} == {""}
    assert table.notes[0].endswith("n 5 where nothing else is said.")


def test_markdown_means_itself() -> None:
    table = Noted("t", ("variant", NASTY), [(Number("lazy_adam"), Number("0.2 ± 0.1", "a"))], [("a", NASTY)], [NASTY])
    said = markdown.markdown(table)
    assert r"| lazy\_adam | 0.2 ± 0.1<sup>a</sup> |" in said
    for line in said.splitlines()[2:5]:
        assert len(re.findall(r"(?<!\\)\|", line)) == 3, line
    assert r"{a\_b} \& \$x^2\$ \~ \#1 \\ ± ↓ é 😀 \| \<b\> \*c\* \[d\] \`e\`" in said


def test_latex_is_ascii_and_every_special_letter_is_escaped() -> None:
    assert latex.escape(NASTY) == (
        r"50\% of \{a\_b\} \& \$x\textasciicircum{}2\$ \textasciitilde{} \#1 \textbackslash{} $\pm$ $\downarrow$ \'{e} "
        r"{[U+1F600]} \textbar{} \textless{}b\textgreater{} *c* [d] \`{}e\`{}"
    )
    assert latex.escape("straße, Łódź, β₁ → ∞, “x” – y") == (
        r"stra\ss{}e, \L{}\'{o}d\'{z}, $\beta$1 $\rightarrow$ $\infty$, ``x'' -- y"
    )


def test_latex_sets_numbers_as_numbers(ended: Desk) -> None:
    cells = (Number("lazy_1e-5"), Number("2.5e-8", "a"), Number("1e-8"), Number("0.20 ± 0.01", "b"), Number("–"))
    table = Noted("a_b", ("variant", "eps", "eps", "val/fvu: repeats", "x"), [cells], [("a", "50 %")], ["n_1"])
    said = latex.latex(table, "a_b")
    a, b = r"\,\textsuperscript{a}", r"\,\textsuperscript{b}"
    assert rf"lazy\_1e-5 & $2.5 \times 10^{{-8}}${a} & $10^{{-8}}$ & $0.20 \pm 0.01${b} & -- \\" in said
    assert r"\shortstack[r]{val/fvu \\ repeats}" in said
    assert r"\label{tab:a_b}" in said
    whole = latex.latex(noted(ended.outcome()), "lr-eps")
    assert whole.isascii()
    for begun in ("table", "tabular", "minipage"):
        assert whole.count(rf"\begin{{{begun}}}") == whole.count(rf"\end{{{begun}}}") == 1
    assert whole.count("{") == whole.count("}")
    lines = whole.partition(r"\toprule")[2].partition(r"\bottomrule")[0].splitlines()
    assert {line.count(" & ") for line in lines if line.endswith(r"\\")} == {whole.count("r@{}") + 8}


def test_a_place_that_cannot_be_written_is_refused_before_anything_is(ended: Desk, tmp_path: Path) -> None:
    before = ended.bench.files()
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        error = refused(str(ended.folder), "--export", str(place))
        assert error.argument == "--export"
        assert "folder" in error.remedy
    assert ended.bench.files() == before


def test_without_kaleido_figures_are_refused_before_anything_is_written(
    ended: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ended.bench.files()

    class Missing(importlib.abc.MetaPathFinder):
        def find_spec(self, name: str, path: object, target: ModuleType | None = None) -> None:
            if name.partition(".")[0] in ("kaleido", "choreographer"):
                raise ModuleNotFoundError(name=name)

    for name in [name for name in sys.modules if name.partition(".")[0] in ("kaleido", "choreographer")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    error = refused(str(ended.folder), "--export", str(tmp_path / "new"))
    assert "kaleido, which is not installed" in error.rule
    assert 'pip install "spadam[export]"' in error.remedy
    assert not (tmp_path / "new").exists()
    assert ended.bench.files() == before
    assert CliRunner().invoke(app, ["report", str(ended.folder)]).exit_code == 0


@pytest.mark.parametrize("browser", ["/no/such/browser", "/bin/false"])
def test_without_a_browser_that_works_figures_are_refused_before_anything_is_written(
    ended: Desk, tmp_path: Path, browser: str
) -> None:
    """In a process of its own: what a browser that fails leaves behind is not this one's."""
    before = ended.bench.files()
    script = f"import os; os.environ['BROWSER_PATH'] = {browser!r}; from spadam.cli import main; main()"
    command = [sys.executable, "-c", script, "report", str(ended.folder), "--export", str(tmp_path / "new")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "--export" in done.stderr
    assert "BROWSER_PATH" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()
    assert ended.bench.files() == before


@pytest.mark.slow
@pytest.mark.browser
def test_the_command_writes_every_figure_and_the_table(digits: Desk, tmp_path: Path) -> None:
    made = []
    for place in (tmp_path / "once" / "here", tmp_path / "again"):
        arguments = [str(digits.folder), "--out", str(tmp_path), "--export", str(place)]
        done = CliRunner().invoke(app, ["report", *arguments])
        assert done.exit_code == 0, done.exception
        assert str(place) in done.stdout.replace("\n", "")
        made.append({path.name: path.read_bytes() for path in place.iterdir()})
    first, second = made
    pictures = {"pictures-adam.png", "pictures-lazy.png"}
    assert set(first) == {f"{name}.{form}" for name in NAMES for form in ("svg", "png")} | pictures | {
        *("table.md", "table.tex")
    }
    for name in NAMES:
        svg = ElementTree.fromstring(first[f"{name}.svg"])
        size = [int(svg.attrib[side]) for side in ("width", "height")]
        assert Image.open(io.BytesIO(first[f"{name}.png"])).size == tuple(3 * side for side in size)
        text = "".join(svg.itertext())
        assert "lr-eps" in text
        assert b"var(--" not in first[f"{name}.svg"]
        ids = [element.attrib["id"] for element in svg.iter() if "id" in element.attrib]
        assert all(name in id_ for id_ in ids if id_.startswith(("clip", "defs", "g")))
    for name in first:
        if not name.endswith(".png"):
            assert first[name] == second[name], name
    assert all(min(Image.open(io.BytesIO(first[name])).size) > 300 for name in pictures)


def hanging(tmp_path: Path) -> tuple[Path, Path]:
    """A browser that never answers, and the file where it leaves its process id."""
    program, pid = tmp_path / "hanging", tmp_path / "pid"
    program.write_text(f"#!/bin/sh\necho $$ > {pid}.new\nmv {pid}.new {pid}\nexec sleep 600\n")
    program.chmod(0o755)
    return program, pid


def ended_process(pid: Path) -> bool:
    """Whether the process whose number is in ``pid`` runs no more; it may wait for an init that buries nobody."""
    try:
        return Path(f"/proc/{pid.read_text().strip()}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def command_with(browser: Path, seconds: float, *arguments: str) -> list[str]:
    script = (
        f"import os, signal\nos.environ['BROWSER_PATH'] = {str(browser)!r}\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"from spadam.report.export import renderer\nrenderer._SECONDS = {seconds}\n"
        "from spadam.cli import main\nmain()\n"
    )
    return [sys.executable, "-c", script, "report", *arguments]


def test_a_browser_that_hangs_is_given_up(ended: Desk, tmp_path: Path) -> None:
    program, pid = hanging(tmp_path)
    command = command_with(program, 2, str(ended.folder), "--export", str(tmp_path / "new"))
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    assert "the browser must draw every figure" in done.stderr
    assert not (tmp_path / "new").exists()
    assert ended_process(pid)


def test_an_interruption_takes_the_browser_with_it(ended: Desk, tmp_path: Path) -> None:
    program, pid = hanging(tmp_path)
    before = ended.bench.files()
    command = command_with(program, 300, str(ended.folder), "--export", str(tmp_path / "new"))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        while not pid.exists():
            assert running.poll() is None
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=120)
    assert running.returncode == 130, said
    assert "interrupted" in said
    assert ended_process(pid)
    assert not (tmp_path / "new").exists()
    assert ended.bench.files() == before
