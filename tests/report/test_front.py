"""The page of a sweep for a front, and of one within a band: what is drawn, and what is not said."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from spadam.report.export.noted import noted
from spadam.report.figures import figures_of
from spadam.report.figures.front import front
from spadam.report.figures.landscape import landscape
from spadam.report.figures.response import response
from support import sweep_sparse as sparse
from support.report_bench import Desk, close, rows_of

L0 = sparse.L0
FRONT = {"pareto": ["val/fvu", L0]}
BAND = {"at": {L0: [28, 36]}}
SEARCH = {"sampler": "tpe", "trials": 16}


def ended(folder: Path, objective: dict[str, Any], **instead: Any) -> Desk:
    desk = Desk(folder)
    changes = {"base": sparse.BASE, "search": SEARCH, "repeat": {"seeds": 3}}
    desk.bench.write(changes, objective=objective, **instead)
    assert desk.run(sparse.train) == 0
    return desk


@pytest.fixture(scope="module")
def fronted(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return ended(tmp_path_factory.mktemp("front"), FRONT)


@pytest.fixture(scope="module")
def banded(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return ended(tmp_path_factory.mktemp("band"), BAND, report={"columns": ["sparsity/dead", L0]})


def test_every_trial_on_a_front_is_drawn_at_its_place(fronted: Desk) -> None:
    outcome = fronted.outcome()
    section = front(outcome)
    assert len(section.panels) == 2
    for panel, variant in zip(section.panels.values(), ("adam", "lazy"), strict=True):
        members = outcome.front(variant)
        marks = [trace for trace in panel.data if trace["mode"] == "markers"]
        full = marks[1]
        assert full["x"] == [row["metrics"][L0] for row in members]
        assert full["y"] == [row["metrics"]["val/fvu"] for row in members]
        others = [row for row in outcome.trials() if row["variant"] == variant and not row["front"]]
        assert len(marks[0]["x"]) == len(others)
        means = [trace for trace in marks[2:]]
        assert len(means) == 3  # the trials that are repeated
        steps = [trace for trace in panel.data if trace["mode"] == "lines" and trace["line"].get("shape") == "hv"]
        assert [sorted(row["metrics"][L0] for row in members)] == [steps[1]["x"]]
        for x, y in zip(steps[1]["x"], steps[1]["y"], strict=True):
            assert (x, y) in zip(full["x"], full["y"], strict=True)
        assert f"the front has {len(members)} trials of 16" in panel.label
    assert [chip.said for chip in section.legend] == [f"{len(outcome.front(name))} trials" for name in ("adam", "lazy")]  # type: ignore[union-attr]


def test_plotly_knows_every_word_of_the_page_of_a_front(fronted: Desk) -> None:
    found = [panel for draw in figures_of(fronted.outcome()) for panel in draw(fronted.outcome()).panels.values()]
    assert found
    for panel in found:
        text = re.sub(r"var\(--[a-z0-9]+\)", "#123456", json.dumps({"data": panel.data, "layout": panel.layout}))
        go.Figure(json.loads(text))


def test_the_table_of_the_page_has_every_trial_of_a_front(fronted: Desk) -> None:
    outcome, page = fronted.outcome(), fronted.page()
    table = page.table("comparison")
    members = [row for name in ("adam", "lazy") for row in outcome.front(name)]
    assert [row["trial"] for row in table] == [f"search-{row['slot']}" for row in members]
    for shown, row in zip(table, members, strict=True):
        assert close(shown["val/fvu: search"], row["metrics"]["val/fvu"], 4)
        assert close(shown[f"{L0}: search"], row["metrics"][L0], 4)
    assert sum("(n 3" in row["val/fvu: repeats"] for row in table) == 6
    numbers = page.table("front")
    assert len(numbers) == len(members)
    assert "best-so-far" not in page.texts
    assert "widen" not in page.markup.partition("<script>/*")[0]
    lead = page.texts[""]
    assert f"Objective: the front of val/fvu (lower is better) and {L0} (lower is better)." in lead
    assert "of each front up to 3 trials are trained again with 3 fresh seeds" in lead


def test_a_paper_gets_a_table_of_the_front(fronted: Desk) -> None:
    table = noted(fronted.outcome())
    assert table.head[:2] == ("variant", "trial")
    assert "the front of val/fvu" in table.title
    assert any("picked from 16 trials" in note for note in table.notes)


def test_what_lies_outside_a_band_is_a_cross_and_no_value(banded: Desk) -> None:
    outcome = banded.outcome()
    for section in (response(outcome), landscape(outcome)):
        for panel, variant in zip(section.panels.values(), ("adam", "lazy"), strict=True):
            mine = rows_of(banded, variant=variant, phase="search")
            crosses = next(trace for trace in panel.data if trace.get("marker", {}).get("symbol") == "x-thin")
            assert len(crosses["x"]) == sum(row["outside"] > 0 for row in mine) > 0
            assert all("outside its bands: sparsity/l0_eval" in text for text in crosses["hovertext"])
    page = banded.page()
    assert "or outside its bands" in page.texts["response"]
    assert "says that the range was too small" not in page.markup
    assert "Objective: val/fvu, lower is better, at sparsity/l0_eval 28 to 36." in page.texts[""]
    assert "lie outside the bands" in page.texts["comparison"]


def test_columns_of_the_file_stand_on_the_page_and_first_in_the_csv(banded: Desk) -> None:
    page = banded.page()
    (adam, *_) = page.table("comparison")
    assert [*adam][-2:] == ["dead", "L0"]
    assert adam["dead"] == "0.25"
    assert 28 <= float(adam["L0"]) <= 36
    assert not any("test/fvu" in name for name in adam)
    with (banded.folder / "trials.csv").open() as file:
        head = next(csv.reader(file))
    assert head[head.index("optimizer.eps") + 1 :][:2] == ["sparsity/dead", L0]


def test_where_nothing_lies_within_a_band_the_page_says_so(tmp_path: Path) -> None:
    desk = ended(tmp_path, {"at": {L0: [590, 600]}})
    page = desk.page()
    assert page.table("comparison")[0]["val/fvu: search's best"].endswith("(outside its bands)")
    for section in ("response", "landscape", "best-so-far"):
        assert "No trial has a finite val/fvu and lies within its bands yet." in page.texts[section]
