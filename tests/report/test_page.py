"""The page as a file: its numbers are those of `results`, it is whole by itself, and it says what is missing."""

import csv
import itertools
import json
import re
from collections.abc import Callable

import pytest
import scipy.stats

from spadam.diagnostics.warned import Warned
from spadam.report.drawing import Head, Panel
from spadam.report.markup import Html
from spadam.report.packed import packed, unpacked
from spadam.report.page import _panels
from spadam.report.section import Section
from spadam.sweep.outcome.table import rows
from spadam.sweep.running.task import Task
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support.report_bench import Desk, close, rows_of, train
from support.sweep_quadratic import finish

VARIANTS = ("adam", "lazy")


def test_the_comparison_has_the_numbers_of_results(ended: Desk) -> None:
    table = {row["variant"]: row for row in ended.page().table("comparison")}
    assert {name.lstrip("●■") for name in table} == set(VARIANTS)
    for mark, variant in zip("●■", VARIANTS, strict=True):
        shown = table[mark + variant]
        best = min(rows_of(ended, variant=variant, phase="search", status="complete"), key=lambda row: row["value"])
        assert close(shown["lr"].split()[0], best["params"]["optimizer.lr"], 3)
        assert close(shown["val/fvu: search's best"], best["value"], 4)
        assert close(shown["rows touched"], 0.25, 3)
        repeats = rows_of(ended, variant=variant, phase="repeat")
        for column, metric in (("val/fvu", "val/fvu"), ("test/fvu", "test/fvu")):
            values = [row["metrics"][metric] for row in repeats]
            mean = sum(values) / len(values)
            half = scipy.stats.sem(values) * scipy.stats.t.ppf(0.975, len(values) - 1)
            said_mean, said_half = shown[f"{column}: repeats"].removesuffix(" (n 3: too few)").split(" ± ")
            assert float(said_mean) == pytest.approx(mean, abs=0.05 * half)  # the half has two digits
            assert float(said_half) == pytest.approx(half, rel=0.05)
        assert shown["probe accuracy, test"].startswith("0.89")


def test_every_number_behind_the_figures_is_that_of_results(ended: Desk) -> None:
    page = ended.page()
    trials = {(row["variant"], row["training"]): row for row in page.table("response")}
    searched = rows_of(ended, phase="search")
    assert len(trials) == len(searched) == 16
    assert {row["status"] for row in searched} == {"complete", "diverged"}
    for row in searched:
        shown = trials[row["variant"], f"search-{row['slot']}"]
        assert shown["status"] == row["status"]
        assert close(shown["optimizer.lr"], row["params"]["optimizer.lr"], 4)
        assert close(shown["optimizer.eps"], row["params"]["optimizer.eps"], 4)
        assert shown["val/fvu"] == "–" if row["value"] is None else close(shown["val/fvu"], row["value"], 6)
    for row, (split, name) in itertools.product(
        rows_of(ended, phase="repeat"), (("train", "training samples"), ("test", "test samples"))
    ):
        (shown,) = [
            line
            for line in page.table("codes")
            if (line["variant"], line["samples"], line["training"]) == (row["variant"], name, f"repeat-{row['slot']}")
        ]
        trained, judged = row["metrics"][f"{split}/fvu_training_code"], row["metrics"][f"{split}/fvu"]
        assert close(shown["FVU, training code"], trained, 5)
        assert close(shown["FVU, evaluation code"], judged, 5)
        assert float(shown["factor"]) == pytest.approx(4.0 if row["variant"] == "lazy" else 1.0)
    density = {row["variant"]: row for row in page.table("density")}
    assert [density[name]["L0 in training"] for name in VARIANTS] == ["2", "8"]


def test_the_figures_draw_the_numbers_of_results(ended: Desk) -> None:
    panels = ended.page().panels()
    drawn = panels["comparison-0"]["data"]
    for variant in VARIANTS:
        best = min(rows_of(ended, variant=variant, phase="search", status="complete"), key=lambda row: row["value"])
        values = [row["value"] for row in rows_of(ended, variant=variant, phase="repeat")]
        assert values in [trace["x"] for trace in drawn]
        assert [best["value"]] in [trace["x"] for trace in drawn]
        assert [sum(values) / 3] in [[pytest.approx(x) for x in trace["x"]] for trace in drawn]


def test_trials_csv_is_that_of_the_sweep(ended: Desk) -> None:
    before = (ended.folder / "trials.csv").read_bytes()
    page = ended.page(ended.folder.parent / "elsewhere")
    beside = ended.folder.parent / "elsewhere" / "trials.csv"
    assert beside.read_bytes() == before
    with beside.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(rows(*ended.bench.read()))
    assert "trials.csv" in [link["href"] for link in page.names("a")]


def test_nothing_outside_the_file_is_named_as_a_source(ended: Desk) -> None:
    page = ended.page()
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data"):
            target = attributes.get(name)
            assert target is None or target.startswith(("data:", "#", "trials.csv", "./")), (tag, name, target)
    style = re.findall(r"<style>(.*?)</style>", page.markup, re.DOTALL)[0]
    assert not re.search(r"url\(|@import", style)
    (policy,) = [m["content"] for m in page.names("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_the_runs_that_it_is_about_are_links_to_where_they_lie(ended: Desk) -> None:
    links = [str(link["href"]) for link in ended.page().names("a") if str(link["href"]).startswith("./")]
    assert len(links) == len({*links}) > 2
    assert all((ended.folder / link).is_dir() for link in links)


def test_the_same_sweep_gives_the_same_bytes(ended: Desk) -> None:
    first = ended.write().read_bytes()
    assert ended.write().read_bytes() == first


def test_what_a_person_wrote_is_text(desk: Desk) -> None:
    evil = "</script><script>alert('ä\u2028😀')</script><img src=x onerror=alert(1)>&amp;"
    desk.bench.write({"base": {"data": {"root": evil}, "tracking": {"entity": evil}}})
    warned = Warned("evil", f"{evil} in a training").plain()
    assert desk.run(lambda task, progress: train(task, progress)._replace(warnings=[warned])) == 0
    page = desk.page()
    assert page.names("img") == []
    assert {script.get("type") for script in page.names("script")} == {None, "text/plain"}
    assert len(page.names("script")) == 4
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)
    assert f"{evil} in a training (" in page.texts["comparison"]
    assert evil.replace("\u2028", "\\L") in page.texts["settings"]  # as YAML writes a line separator


def test_no_text_of_a_panel_ends_its_script() -> None:
    evil = "</script><!--&amp;"
    said = _panels([Section("a", "", Html(), {"a-0": Panel([{"hovertext": [evil]}], {}, 1, "", Head(""))})])
    shown = re.fullmatch(r"<script [^>]*>([^<>&]*)</script>", packed(said, "panels"))
    assert shown is not None
    assert json.loads(unpacked(shown[1]))["a-0"]["data"][0]["hovertext"] == [evil]


def test_every_figure_has_its_numbers_and_a_text_in_its_place(ended: Desk) -> None:
    page = ended.page()
    plots = [div for div in page.names("div") if str(div.get("class")).startswith("plot")]
    assert len(plots) == 2 + 2 + 2 + 2 + 2 + 2 + 2 + 1 + 1
    for plot in plots:
        assert plot["role"] == "img"
        assert len(str(plot["aria-label"])) > 30
    for section in ("comparison", "response", "landscape", "codes", "density", "diagnostics", "curves", "best-so-far"):
        assert max(map(len, page.tables[section])) > 2
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert [link["href"] for link in page.names("a") if str(link["href"]).startswith("#")] == [
        f"#{section['id']}" for section in page.names("section")
    ]


def test_the_top_says_what_was_compared(ended: Desk, digits: Desk) -> None:
    said = ended.page().texts[""]
    for text in (
        "2 variants on synthetic, 8 trials for each over lr, eps (random)",
        "each best is trained again with 3 fresh seeds",
        "Objective: val/fvu, lower is better.",
        "Finished: 22 of 22 trainings.",
        "Only a claim's verdict says what differs.",
    ):
        assert text in said
    said = digits.page().texts[""]
    assert "cpu, 1 thread" in said
    assert re.search(r"2\d{3}-\d\d-\d\d \d\d:\d\d to 2\d{3}-\d\d-\d\d \d\d:\d\d UTC", said)


def test_sections_come_in_the_order_in_which_a_reader_asks(ended: Desk) -> None:
    assert [section["id"] for section in ended.page().names("section")] == [
        *("verdicts", "comparison", "response", "landscape", "codes", "density", "diagnostics", "curves"),
        *("best-so-far", "cost", "pictures", "settings", "provenance", "again"),
    ]


def test_without_claims_the_differences_stand_in_the_comparison(ended: Desk) -> None:
    page = ended.page()
    assert "claims nothing, so nothing is decided here. How far its variants lie apart" in page.texts["verdicts"]
    (row,) = page.table("comparison", 2)
    assert row["less adam"] == "■lazy"
    assert row["val/fvu"].endswith("3 seeds")


def test_the_settings_are_all_there(digits: Desk) -> None:
    page = digits.page()
    said = page.texts["settings"]
    assert digits.bench.spec.read_text().strip() in said
    assert "The best configuration of lazy" in said
    assert ("adam", "optimizer.lr", "1e-5 to 0.1, logarithmic") in {
        tuple(row.values()) for row in page.table("settings", 0)
    }


def test_before_any_training_has_ended(desk: Desk) -> None:
    desk.stop_after(0)
    page = desk.page()
    assert "So far: 0 of 10 trainings" in page.texts[""]
    assert "No trial has a finite val/fvu yet" in page.texts["comparison"]
    for section in ("response", "landscape", "codes", "density", "diagnostics", "curves", "best-so-far", "pictures"):
        assert "No " in page.texts[section]
    assert {*page.tables} == {"settings", "provenance"}


def test_after_one_training(desk: Desk) -> None:
    desk.stop_after(1)
    page = desk.page()
    assert "So far: 1 of 10 trainings" in page.texts[""]
    assert [row["val/fvu: repeats"] for row in page.table("comparison")] == ["–", "–"]
    assert "There are no repeats yet." in page.texts["comparison"]
    assert "adam: 1 of 3 trials so far" in page.texts["comparison"]
    assert len(page.table("response")) == 1
    assert "Only repeats measure the test samples" in page.texts["codes"]


def test_a_sweep_that_repeats_nothing(desk: Desk) -> None:
    desk.bench.write({"repeat": {"seeds": 0}})
    assert desk.run(train) == 0
    assert "Nothing is repeated." in desk.page().texts["comparison"]


def test_a_variant_that_always_diverges(desk: Desk) -> None:
    def fail(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        return finish(task, None, "diverged") if task.slot.variant == "lazy" else train(task, progress)

    assert desk.run(fail) == 0
    page = desk.page()
    row = page.table("comparison")[1]
    assert [row[name] for name in ("variant", "lr", "val/fvu: search's best", "val/fvu: repeats")] == ["■lazy", *"–––"]
    assert "no value yet; 3 diverged" in page.texts["response"]
    assert "lazy: 3 of 3 trials of study 0 diverged" in page.texts["comparison"]


def test_metrics_that_are_null_or_absent(desk: Desk) -> None:
    bare = {"test/fvu": None, "sparsity/rows_touched": None}
    assert desk.run(lambda task, progress: finish(task, **{"value": 1.0, **bare})) == 0
    page = desk.page()
    assert {row["test/fvu: repeats"] for row in page.table("comparison")} == {"–"}
    assert "probe accuracy, test" not in page.table("comparison")[0]
    assert "the two codes cannot be compared" in page.texts["codes"]
    assert "No training has measured how many latents are on" in page.texts["density"]
    assert len(page.table("response")) == 6


def test_a_sweep_without_axes(desk: Desk) -> None:
    none = {"optimizer.lr": None, "optimizer.eps": None}
    text = desk.bench.spec.read_text()
    desk.bench.write({"variants": {name: {"space": none} for name in VARIANTS}, "search": {"trials": 1}})
    assert text != desk.bench.spec.read_text()
    assert desk.run(train) == 0
    page = desk.page()
    assert "1 trial for each and nothing searched" in page.texts[""]
    assert "No variant searches a number" in page.texts["response"]
    assert "No variant searches two numbers" in page.texts["landscape"]


def test_several_studies_have_a_row_each(desk: Desk) -> None:
    desk.bench.write({"search": {"studies": 2}})
    assert desk.run() == 0
    page = desk.page()
    names = ["●adam (study 0)", "●adam (study 1)", "■lazy (study 0)", "■lazy (study 1)"]
    assert [row["variant"] for row in page.table("comparison")] == names
    assert "3 trials for each in each of 2 independent studies" in page.texts[""]
    for variant in VARIANTS:
        best = min(rows_of(desk, variant=variant, phase="search"), key=lambda row: row["value"])
        assert f"The best configuration of {variant} (study {best['study']})" in page.texts["settings"]
        assert f"The best configuration of {variant} (study {1 - best['study']})" not in page.texts["settings"]


def test_a_best_near_a_bound_is_marked(desk: Desk) -> None:
    desk.bench.write({"space": {"optimizer.lr": {"low": 1e-2, "high": 2e-2, "log": True}}})
    assert desk.run() == 0
    assert "near its upper bound" in desk.page().table("comparison")[0]["lr"]
