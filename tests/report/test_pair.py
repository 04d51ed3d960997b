"""Two sweeps on one page: what differs between them, held against their own results."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import scipy.stats
from typer.testing import CliRunner

from spadam.cli import app
from spadam.report.pair import write_pair
from spadam.report.pair.pair import names_of
from spadam.spec import InputError
from spadam.sweep.running.task import Task
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support.report_bench import Desk, Page, rows_of, train

CLAIM = {"says": "lazy is worse", "variants": ["lazy", "adam"], "metric": "val/fvu", "kind": "worse", "margin": 0.01}
Train = Callable[[Task, Callable[[Progress], None]], RunResult]


def scaled(factor: float) -> Train:
    """Trainings with errors that are so many times larger, in seeds apart by a little more or less."""

    def changed(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        result = train(task, progress)
        metrics = dict(result.metrics)
        for name in ("val/fvu", "test/fvu"):
            value = metrics[name]
            metrics[name] = None if value is None else value * factor * (1 + 0.01 * (task.slot.seed % 3))
        return result._replace(metrics=metrics, provenance={"versions": {"torch": str(factor)}, "seconds": 1.0})

    return changed


def made(folder: Path, train: Train, changes: dict[str, Any] | None = None, **instead: Any) -> Desk:
    folder.mkdir()
    desk = Desk(folder)
    desk.bench.write({"repeat": {"seeds": 4}, **(changes or {})}, **instead)
    assert desk.run(train) == 0
    return desk


def told(first: Desk, second: Desk, out: Path) -> tuple[Page, dict[str, Any]]:
    page = write_pair([first.folder, second.folder], out)
    found: dict[str, Any] = json.loads((out / "compare.json").read_text())
    return Page(page), found


def values(desk: Desk, variant: str, metric: str = "val/fvu") -> dict[int, float]:
    return {row["seed"]: row["metrics"][metric] for row in rows_of(desk, variant=variant, phase="repeat")}


def one(found: dict[str, Any], variant: str, metric: str = "val/fvu") -> dict[str, Any]:
    (mine,) = [each for each in found["differences"] if (each["variant"], each["metric"]) == (variant, metric)]
    return dict(mine)


def test_the_same_seeds_are_paired(tmp_path: Path) -> None:
    first, second = made(tmp_path / "a", train), made(tmp_path / "b", scaled(1.2))
    page, found = told(first, second, tmp_path / "out")
    for variant in ("adam", "lazy"):
        mine, theirs = values(first, variant), values(second, variant)
        logs = [math.log(theirs[seed] / mine[seed]) for seed in mine]
        ends = scipy.stats.ttest_1samp(logs, 0).confidence_interval(0.95)
        shown = one(found, variant)
        assert (shown["how"], shown["ratio"]) == ("paired", True)
        assert [shown["effect"], *shown["interval"]] == pytest.approx([sum(logs) / 4, *ends])
        assert shown["first"]["mean"] == pytest.approx(sum(mine.values()) / 4)
        assert shown["second"]["n"] == 4
    rows = page.table("differences", 1)
    assert {row["variant"].lstrip("●■") for row in rows} == {"adam", "lazy"}
    assert rows[0]["difference"].startswith("+21")
    assert "No claim was made of these differences beforehand" in page.texts[""]
    assert [change["key"] for change in found["ran_with"]] == ["torch"]
    assert found["asked"] == []
    assert "both specifications are the same" in page.texts["asked"]


def test_other_seeds_are_two_samples(tmp_path: Path) -> None:
    first = made(tmp_path / "a", train)
    second = made(tmp_path / "b", scaled(1.2), {"search": {"seed": 5}, "repeat": {"seeds": 6}})
    page, found = told(first, second, tmp_path / "out")
    mine, theirs = ([math.log(v) for v in values(desk, "adam").values()] for desk in (first, second))
    ends = scipy.stats.ttest_ind(theirs, mine, equal_var=False).confidence_interval(0.95)
    shown = one(found, "adam")
    assert shown["how"] == "unpaired"
    assert shown["interval"] == pytest.approx(list(ends))
    assert "compared by Welch's interval" in page.texts["differences"]
    assert {(c["where"], c["key"], c["first"], c["second"]) for c in found["asked"]} == {
        ("", "search.seed", "0", "5"),
        ("", "repeat.seeds", "4", "6"),
    }


def test_a_copy_is_identical_to_the_last_bit(ended: Desk, tmp_path: Path) -> None:
    shutil.copytree(ended.folder, tmp_path / "copy")
    page = Page(write_pair([ended.folder, tmp_path / "copy"], tmp_path / "out"))
    found = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert {each["how"] for each in found["differences"] if each["first"]} == {"identical"}
    assert "every repeat of every variant that both have is identical to the last bit" in page.texts[""]
    assert found["asked"] == found["ran_with"] == []
    assert page.table("differences", 1)[0]["difference"] == "identical to the last bit (3 seeds)"


def test_what_was_asked_is_told_with_its_defaults(tmp_path: Path) -> None:
    first = made(tmp_path / "a", train)
    masked = {"optimizer": {"name": "masked_adam"}}
    variants = {"adam": {"optimizer": {"name": "adam"}, "model": {"pre_bias": "none"}}, "masked": masked}
    second = made(tmp_path / "b", train, {"space": {"optimizer.lr": {"low": 1e-4}}}, variants=variants)
    page, found = told(first, second, tmp_path / "out")
    assert {(c["where"], c["key"], c["first"], c["second"]) for c in found["asked"]} == {
        ("adam", "model.pre_bias", "mean", "none"),
        ("adam", "space.optimizer.lr.low", "1e-05", "0.0001"),
    }
    assert found["only"] == {"first": ["lazy"], "second": ["masked"]}
    assert "Only in b/runs/lr-eps: masked." in page.texts["asked"]
    assert {each["variant"] for each in found["differences"]} == {"adam"}


def test_verdicts_on_one_claim_stand_side_by_side(tmp_path: Path) -> None:
    other = {**CLAIM, "says": "lazy is better", "kind": "better"}
    first = made(tmp_path / "a", train, {"repeat": {"seeds": 8}}, claims=[CLAIM])
    second = made(tmp_path / "b", train, {"repeat": {"seeds": 8}}, claims=[{**CLAIM, "says": "in other words"}, other])
    page, found = told(first, second, tmp_path / "out")
    assert [each["says"] for each in found["verdicts"]] == ["lazy is worse", "lazy is better"]
    shared, alone = found["verdicts"]
    assert shared["first"]["verdict"] == shared["second"]["verdict"] == "supported"
    assert (alone["first"], alone["second"]["verdict"]) == (None, "refuted")
    rows = page.table("verdicts")
    assert rows[1]["a/runs/lr-eps"] == "–"
    assert rows[0]["b/runs/lr-eps"].startswith("supported: ")


def test_diverged_repeats_are_left_out_and_counted(tmp_path: Path) -> None:
    def lost(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        result = train(task, progress)
        gone = task.slot.phase == "repeat" and task.slot.variant == "adam"
        return result._replace(status="diverged") if gone and task.slot.number == 0 else result

    page, found = told(made(tmp_path / "a", train), made(tmp_path / "b", lost), tmp_path / "out")
    assert one(found, "adam")["how"] == "unpaired"
    assert one(found, "adam")["second"]["n"] == 3
    assert one(found, "lazy")["how"] == "identical"
    assert "1 of 8 repeats of b/runs/lr-eps diverged" in page.texts["differences"]
    assert "the repeats of lazy are identical to the last bit; those of the others are not" in page.texts[""]


def test_without_repeats_it_says_so(tmp_path: Path) -> None:
    first, second = (made(tmp_path / name, train, {"repeat": {"seeds": 0}}) for name in "ab")
    page, found = told(first, second, tmp_path / "out")
    assert "No variant that both have has repeats in both" in page.texts["differences"]
    assert {each["how"] for each in found["differences"]} == {"none"}


def test_the_command_writes_into_the_current_folder(ended: Desk, tmp_path: Path, monkeypatch: Any) -> None:
    shutil.copytree(ended.folder, tmp_path / "copy")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    done = CliRunner().invoke(app, ["report", "--compare", str(ended.folder), "../copy"])
    assert done.exit_code == 0, done.exception
    assert done.stdout == "written: compare.html and compare.json\n"
    assert {path.name for path in here.iterdir()} == {"compare.html", "compare.json"}


def refused(*arguments: object) -> InputError:
    error = CliRunner().invoke(app, ["report", *map(str, arguments)]).exception
    assert isinstance(error, InputError), error
    return error


def test_what_cannot_be_compared_is_told(ended: Desk, tmp_path: Path) -> None:
    here, empty = ended.folder, tmp_path / "empty"
    empty.mkdir()
    assert "both are the same folder" in refused("--compare", here, here / ".." / here.name).rule
    error = refused("--compare", here, empty)
    assert error.argument == "--compare"
    assert "the folder must hold a sweep" in error.rule
    assert f"give one of: {here}" in refused("--compare", here, here.parent).remedy
    for argument, more in (
        ("SPEC|FOLDER", [here]),  # a third folder, too
        ("--storage", ["--storage", "sqlite:///x.db"]),
        ("--sweep", ["--sweep", "x"]),
        ("--export", ["--export", empty]),
        ("--check", ["--check"]),
    ):
        error = refused("--compare", here, empty, *more)
        assert error.argument == argument
        assert "exactly two sweeps" in error.rule
    assert not list(empty.iterdir())
    done = CliRunner().invoke(app, ["report", "--compare", str(here)])
    assert done.exit_code == 2
    assert "requires 2 arguments" in done.output


def test_a_folder_that_cannot_be_written(ended: Desk, tmp_path: Path) -> None:
    shutil.copytree(ended.folder, tmp_path / "copy")
    (tmp_path / "file").touch()
    assert refused("--compare", ended.folder, tmp_path / "copy", "--out", tmp_path / "file").argument == "--out"


def test_names_are_as_long_as_it_takes() -> None:
    assert names_of(Path("a"), Path("a/../b")) == ("a", "b")
    assert names_of(Path("/x/same/name"), Path("/y/same/name")) == ("x/same/name", "y/same/name")
