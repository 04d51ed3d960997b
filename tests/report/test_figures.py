"""What is drawn: the right points at the right places, in plotly's own words, and in colours that the page has."""

import json
import math
import re
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

import spadam.report
from spadam.report.drawing import COLOURS, SYMBOLS, dots, words
from spadam.report.figures import FIGURES
from spadam.report.figures.codes import codes
from spadam.report.figures.density import density
from spadam.report.figures.landscape import landscape
from spadam.report.figures.response import response
from spadam.report.section import Section
from spadam.report.trials import scale_of
from spadam.sweep.running.task import Task
from spadam.training.result import RunResult
from support import sweep_quadratic as quadratic
from support.report_bench import Desk, rows_of

CSS = (Path(spadam.report.__file__).parent / "page.css").read_text()


def traces(section: Section, panel: int, mode: str = "markers") -> list[dict[str, Any]]:
    return [trace for trace in section.panels[f"{section.anchor}-{panel}"].data if trace["mode"] == mode]


def named(value: Any) -> set[str]:
    """Every CSS variable that a panel names."""
    return set(re.findall(r"var\((--[a-z0-9]+)\)", json.dumps(value)))


def test_plotly_knows_every_word_of_every_panel(ended: Desk) -> None:
    found = [panel for draw in FIGURES for panel in draw(ended.outcome()).panels.values()]
    assert len(found) == 16
    for panel in found:
        text = re.sub(r"var\(--[a-z0-9]+\)", "#123456", json.dumps({"data": panel.data, "layout": panel.layout}))
        go.Figure(json.loads(text))  # raises where a name or a value is not plotly's


def test_every_axis_that_is_shown_has_a_title(ended: Desk) -> None:
    for panel in (panel for draw in FIGURES for panel in draw(ended.outcome()).panels.values()):
        for axis in (panel.layout["xaxis"], panel.layout["yaxis"]):
            assert axis.get("visible") is False or axis["title"]["text"], panel.label


def test_every_colour_is_defined_by_day_and_by_night(ended: Desk) -> None:
    day, night = CSS.split("prefers-color-scheme: dark")
    used = {name for draw in FIGURES for panel in draw(ended.outcome()).panels.values() for name in named(panel)}
    used |= {f"--v{n}" for n in range(COLOURS)}
    assert used
    for name in used:
        assert f"{name}: #" in day
        assert f"{name}: #" in night


def test_variants_differ_in_colour_or_marker() -> None:
    assert len({(n % COLOURS, n % len(SYMBOLS)) for n in range(56)}) == 56


def test_a_text_for_plotly_is_no_markup() -> None:
    evil = "<b onclick='x'>&lt;</b>\n<a href='javascript:x'>"
    (shown,) = dots([0.0], [0.0], [evil])["hovertext"]
    assert shown == "&lt;b onclick='x'&gt;&amp;lt;&lt;/b&gt;<br>&lt;a href='javascript:x'&gt;"
    assert "<b>&lt;b" in words("<b", {}, aside="<i")["text"]


def test_the_response_shows_every_trial_and_crosses_for_the_diverged(ended: Desk) -> None:
    section = response(ended.outcome())
    for panel, variant in enumerate(("adam", "lazy")):
        complete = rows_of(ended, variant=variant, phase="search", status="complete")
        lost = rows_of(ended, variant=variant, phase="search", status="diverged")
        assert lost
        marks, crosses, ring = traces(section, panel)
        assert sorted(marks["x"]) == sorted(row["params"]["optimizer.lr"] for row in complete)
        assert sorted(marks["y"]) == sorted(row["value"] for row in complete)
        assert sorted(crosses["x"]) == sorted(row["params"]["optimizer.lr"] for row in lost)
        low, high = section.panels[f"response-{panel}"].layout["yaxis"]["range"]
        top = [(math.log10(y) if max(marks["y"]) > 4 * min(marks["y"]) else y) for y in crosses["y"]]
        assert all(0.9 < (y - low) / (high - low) < 1 for y in top)
        assert f"{len(lost)} diverged" in section.panels[f"response-{panel}"].head.aside
        assert ring["y"] == [min(row["value"] for row in complete)]
        eps = dict(zip(marks["x"], marks["marker"]["opacity"], strict=True))
        by_eps = sorted(complete, key=lambda row: row["params"]["optimizer.eps"])
        shades = [eps[row["params"]["optimizer.lr"]] for row in by_eps]
        assert shades == sorted(shades)
        assert shades[0] < shades[-1]


def test_a_value_out_of_all_proportion_lies_at_the_edge(desk: Desk) -> None:
    def explode(task: Task, progress: object) -> RunResult:
        return quadratic.finish(task, 1e25 if task.slot.number == 0 else 0.5)

    assert desk.run(explode) == 0
    section = response(desk.outcome())
    upper = section.panels["response-0"].layout["yaxis"]["range"][1]
    assert max(traces(section, 0)[0]["y"]) < upper < 1e3


def test_large_is_good_when_the_objective_says_so(desk: Desk) -> None:
    metric = "probe/online_accuracy"

    def score(task: Task, progress: object) -> RunResult:
        if task.slot.number == 1:
            return quadratic.finish(task, None, "diverged")
        return quadratic.finish(task, 1.0, **{metric: 0.5 + 0.01 * task.slot.number})

    desk.bench.write({"objective": {"metric": metric, "direction": "maximize"}, "search": {"trials": 5}})
    assert desk.run(score) == 0
    outcome = desk.outcome()
    marks, crosses, ring = traces(response(outcome), 0)
    assert ring["y"] == [max(marks["y"])] == [0.54]
    low, high = response(outcome).panels["response-0"].layout["yaxis"]["range"]
    assert (crosses["y"][0] - low) / (high - low) < 0.1
    marks, _, ring = traces(landscape(outcome), 0)
    best = marks["x"].index(ring["x"][0])
    assert marks["marker"]["color"][best] == 0.0 == min(marks["marker"]["color"])
    assert "0.54" in landscape(outcome).html


def test_a_relative_axis_is_drawn_as_the_learning_rate_that_it_gives(desk: Desk) -> None:
    ratio, eps = {"low": 1e2, "high": 1e4, "log": True}, {"low": 1e-7, "high": 1e-6, "log": True}
    space = {"optimizer.lr": None, "optimizer.lr_over_eps": ratio, "optimizer.eps": eps}
    desk.bench.write({"variants": {name: {"space": space} for name in ("adam", "lazy")}})
    assert desk.run() == 0
    outcome = desk.outcome()
    found = traces(response(outcome), 0)[0]["x"]
    expected = [
        row["params"]["optimizer.lr_over_eps"] * row["params"]["optimizer.eps"]
        for row in rows_of(desk, variant="adam", phase="search")
    ]
    assert sorted(found) == pytest.approx(sorted(expected))
    assert response(outcome).title == "Objective against lr"
    drawn = landscape(outcome).panels["landscape-0"].layout
    assert (drawn["xaxis"]["title"]["text"], drawn["yaxis"]["title"]["text"]) == ("lr", "eps")


def test_without_lr_the_first_logarithmic_axis_is_taken(desk: Desk) -> None:
    extra = {"probe.lr": {"low": 0.1, "high": 0.2}}
    desk.bench.write({"variants": {name: {"space": {"optimizer.lr": None, **extra}} for name in ("adam", "lazy")}})
    assert desk.run() == 0
    assert response(desk.outcome()).title == "Objective against eps"


def test_axes_are_shared_and_as_wide_as_the_widest_range(ended: Desk) -> None:
    outcome = ended.outcome()
    for section in (response(outcome), landscape(outcome)):
        ranges = [(p.layout["xaxis"]["range"], p.layout["yaxis"]["range"]) for p in section.panels.values()]
        assert ranges[0] == ranges[1]
    scale = scale_of(outcome, "optimizer.lr", [])
    assert scale.low <= 1e-5 < 1e-1 <= scale.high
    assert scale.log


def test_the_two_codes_lie_on_the_diagonal_or_off_it(ended: Desk) -> None:
    section = codes(ended.outcome())
    for panel in (0, 1):
        adam, lazy = traces(section, panel)
        assert adam["x"] == adam["y"]
        assert [y / x for x, y in zip(lazy["x"], lazy["y"], strict=True)] == pytest.approx([4.0] * 3)
        diagonal = traces(section, panel, "lines")[0]
        assert diagonal["x"] == diagonal["y"]
        notes = [note["text"] for note in section.panels[f"codes-{panel}"].layout["annotations"]]
        assert notes == ["same", "×2", "×5"]
    assert "×1.00" in section.html
    assert "×4.00" in section.html


def test_latents_on_are_hollow_in_training_and_filled_in_evaluation(ended: Desk) -> None:
    section = density(ended.outcome())
    assert [trace["x"] for trace in traces(section, 0)] == [[2.0], [2.0], [2.0], [8.0]]
    assert [trace["x"] for trace in traces(section, 1)] == [[0.25], [0.25]]
    assert section.panels["density-1"].layout["xaxis"]["range"] == [0.0, 1.0]
