"""The section of a design: its words, its curves, its numbers, and why another sweep has none."""

import json
import math
import re
from typing import Any

import plotly.graph_objects as go
import pytest

from spadam.report.export.composition import compose
from spadam.report.figures import figures_of
from spadam.report.figures.responsiveness import responsiveness
from spadam.report.section import Section
from support import sweep_design as designed
from support.report_bench import Desk, close, rows_of


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return ran(Desk(tmp_path_factory.mktemp("plane")), **designed.PLANE)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return ran(Desk(tmp_path_factory.mktemp("line")), **designed.LINE)


def ran(desk: Desk, **instead: Any) -> Desk:
    desk.bench.write(**instead)
    assert desk.run(designed.train) == 0
    return desk


def traces(section: Section, panel: int, mode: str) -> list[dict[str, Any]]:
    return [trace for trace in section.panels[f"responsiveness-{panel}"].data if trace["mode"] == mode]


def short(lr: float) -> float:
    """With the digits that a table has."""
    return float(f"{lr:.4g}")


def means(desk: Desk, variant: str, **at: float) -> dict[float, float]:
    """By lr the geometric mean over the seeds, where none diverged."""
    found: dict[float, list[float]] = {}
    for row in rows_of(desk, variant=variant):
        if all(row["params"][f"optimizer.{key}"] == pytest.approx(value) for key, value in at.items()):
            found.setdefault(short(row["params"]["optimizer.lr"]), []).append(row["value"])
    whole = {lr: values for lr, values in sorted(found.items()) if None not in values}
    return {lr: math.exp(sum(map(math.log, values)) / len(values)) for lr, values in whole.items()}


def test_one_panel_shows_the_mean_of_every_variant_against_lr(line: Desk) -> None:
    section = responsiveness(line.outcome())
    assert len(section.panels) == 1
    assert [chip.name for chip in section.legend] == ["adam", "lazy"]  # type: ignore[union-attr]
    for number, variant in enumerate(("adam", "lazy")):
        curve, bars = traces(section, 0, "lines")[2 * number : 2 * number + 2]
        expected = means(line, variant)
        shown = dict(zip(map(short, curve["x"]), curve["y"], strict=True))
        assert {lr: shown[lr] for lr in shown if lr < 0.02} == pytest.approx(
            {lr: expected[lr] for lr in expected if lr < 0.02}
        )
        low, high = zip(*[(a, b) for a, b in zip(bars["y"][::3], bars["y"][1::3], strict=True)], strict=True)
        assert all(a <= y <= b for a, y, b in zip(low[:6], curve["y"][:6], high[:6], strict=True))
    marks, crosses = traces(section, 0, "markers")[:2]
    assert crosses["x"] == pytest.approx([10**-1.5, 0.1])
    assert len(marks["x"]) == 8  # with the largest lr every seed diverged
    assert curve["y"][-1] is not None
    assert traces(section, 0, "lines")[1]["y"][-2] == crosses["y"][0]  # a bar reaches to the cross
    assert traces(section, 0, "lines")[0]["y"][-1] is None
    assert "1 of 3 diverged" in crosses["hovertext"][0]
    assert "3 of 3 diverged" in crosses["hovertext"][1]


def test_a_second_axis_has_a_panel_for_every_variant_and_a_line_for_every_level(plane: Desk) -> None:
    section = responsiveness(plane.outcome())
    assert [panel.head.text for panel in section.panels.values()] == ["adam", "lazy"]
    lines = traces(section, 1, "lines")[::2]
    assert [trace["opacity"] for trace in lines] == [0.25, 0.62, 1.0]
    for trace, eps in zip(lines, (1e-10, 1e-8, 1e-6), strict=True):
        expected = means(plane, "lazy", eps=eps)
        assert dict(zip(map(short, trace["x"]), trace["y"], strict=True)) == pytest.approx(expected)
    assert "A line for every eps" in section.html


def test_the_words_are_those_of_the_numbers(plane: Desk, line: Desk) -> None:
    for desk in (plane, line):
        said = words(desk)
        for found in desk.outcome().verdicts()["responsiveness"]:
            row = said[found["variant"]]
            assert f"lr {found['best']['optimizer.lr']:g}" in row["best"]
            shares = re.findall(r"([\d.]+) %", row["what moves ln val/fvu"])
            expected = [100 * term["share"] for term in found["variance"]]
            assert [float(share) for share in shares] == pytest.approx(expected, abs=0.051)
            assert close(row["seed deviation"].removesuffix(" %"), 100 * math.expm1(found["seed_deviation"]), 2)
            assert close(row["within 5 % of the best"].split()[0], found["width"]["decades"], 2)
            pairs = [(f"slope at the {where}", found[f"slope_at_{where}"], "slope") for where in ("best", "default")]
            pairs.append(("lr sensitivity of val/fvu", found["lr_sensitivity"], "value"))
            pairs.append(("the same over the lr of all", found["lr_sensitivity_common"], "value"))
            for column, expected_of, key in pairs:
                mean, half = row[column].split(" ± ")
                assert float(mean) == pytest.approx(expected_of[key], abs=0.05 * expected_of["half"])
                assert float(half.split()[0]) == pytest.approx(expected_of["half"], rel=0.05)
            part = "as far as the grid goes" in row["lr sensitivity of val/fvu"]
            assert part is not found["lr_sensitivity"]["whole"]
    assert {row["what does nothing"] for row in words(line).values()} == {"none: lr does something"}
    assert {row["what does nothing"] for row in words(plane).values()} == {"eps does nothing between 1e-10 and 1e-8"}
    assert "diverged" not in words(plane)["lazy"]["what moves ln val/fvu"]
    assert "; 9 of 45 trainings diverged" in words(plane)["adam"]["what moves ln val/fvu"]


def words(desk: Desk) -> dict[str, dict[str, str]]:
    """What the table says of each variant."""
    table = desk.page().table("responsiveness")
    return {name: {row[""]: row[name] for row in table} for name in table[0] if name}


def test_every_point_of_the_grid_stands_below_the_figure(plane: Desk) -> None:
    rows = plane.page().table("responsiveness", 1)
    assert len(rows) == 2 * 5 * 3
    for eps in (1e-10, 1e-6):
        shown = {float(row["lr"]): row for row in rows if row["variant"] == "lazy" and float(row["eps"]) == eps}
        for lr, mean in means(plane, "lazy", eps=eps).items():
            assert close(shown[lr]["mean"], mean, 5)
            assert float(shown[lr]["lowest"]) < mean < float(shown[lr]["highest"])
            assert (shown[lr]["seeds"], shown[lr]["diverged"]) == ("3", "0")
    lost = [row for row in rows if row["variant"] == "adam" and row["lr"] == "0.1"]
    assert {(row["lowest"], row["highest"], row["diverged"]) for row in lost} == {("–", "–", "3")}


def test_plotly_and_an_export_know_every_word(plane: Desk, line: Desk) -> None:
    for desk in (plane, line):
        section = responsiveness(desk.outcome())
        for panel in section.panels.values():
            text = re.sub(r"var\(--[a-z0-9]+\)", "#123456", json.dumps({"data": panel.data, "layout": panel.layout}))
            go.Figure(json.loads(text))
        figure = compose(section, "lr-eps")
        go.Figure({"data": figure.data, "layout": figure.layout})


def test_a_grid_of_one_seed_says_what_is_missing(desk: Desk) -> None:
    few = {"optimizer.lr": {"choices": [1e-4, 1e-3]}}
    ran(desk, **{**designed.LINE, "search": {"sampler": "grid"}, "space": few})
    said = desk.page().texts["responsiveness"]
    assert "it takes a full grid with several seeds" in said
    assert "one seed a point: set search.studies: 3" in said


def test_a_search_has_no_such_section(ended: Desk) -> None:
    assert responsiveness not in figures_of(ended.outcome())
    assert "responsiveness" not in ended.page().texts


def test_a_variant_without_a_design_is_named(desk: Desk) -> None:
    two = {"optimizer.lr": {"choices": [1e-4, 1e-3]}}
    ran(desk, **{**designed.LINE, "space": two, "variants": _with_a_fixed_lr()})
    section = responsiveness(desk.outcome())
    assert "Not drawn: still (optimizer.lr is not searched over numbers above 0)." in section.html
    assert [chip.name for chip in section.legend] == ["adam"]  # type: ignore[union-attr]


def _with_a_fixed_lr() -> dict[str, Any]:
    eps = {"optimizer.lr": None, "optimizer.eps": {"choices": [1e-9, 1e-8]}}
    return {"adam": {"optimizer": {"name": "adam"}}, "still": {"optimizer": {"name": "adam", "lr": 1e-3}, "space": eps}}
