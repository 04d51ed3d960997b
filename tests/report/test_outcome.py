"""Where a report is read from: a folder, a storage, at any time; and what is told when there is nothing to read."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spadam.cli import app
from spadam.spec import InputError
from spadam.sweep.outcome.finding import in_folder, in_storage
from spadam.sweep.running.task import Task
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support.report_bench import Desk, Page, train


def refused(*arguments: str) -> InputError:
    error = CliRunner().invoke(app, ["report", *arguments]).exception
    assert isinstance(error, InputError), error
    return error


def test_the_command_writes_its_files_into_the_folder(ended: Desk) -> None:
    (ended.folder / "trials.csv").unlink()
    before = set(ended.bench.files())
    done = CliRunner().invoke(app, ["report", str(ended.folder)])
    assert done.exit_code == 0, done.exception
    assert set(ended.bench.files()) - before == {"lr-eps/report.html", "lr-eps/trials.csv", "lr-eps/verdicts.json"}
    assert str(ended.folder / "report.html") in done.stdout.replace("\n", "")


def test_the_storage_alone_gives_the_same_page_without_pictures(ended: Desk, tmp_path: Path) -> None:
    alone = tmp_path / "alone.db"
    shutil.copy(ended.folder / "sweep.db", alone)
    out = tmp_path / "new" / "folder"
    url = f"sqlite:///{alone}"
    done = CliRunner().invoke(app, ["report", "--storage", url, "--sweep", "lr-eps", "--out", str(out)])
    assert done.exit_code == 0, done.exception
    page, there = Page(out / "report.html"), ended.page()
    assert page.tables == there.tables
    assert "Made from the storage alone" in page.texts["pictures"]
    assert (out / "trials.csv").read_bytes() == (ended.folder / "trials.csv").read_bytes()


def test_a_folder_may_have_been_renamed(ended: Desk) -> None:
    moved = ended.folder.rename(ended.folder.with_name("monday"))
    assert in_folder(moved).sweep.name == "lr-eps"


def test_a_page_is_made_beside_the_sweep_that_runs(desk: Desk) -> None:
    seen: list[str] = []

    def look(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        if task.slot.variant == "lazy":
            seen.append(desk.page().texts[""])
        return train(task, progress)

    assert desk.run(look) == 0
    assert "So far: 1 of 10 trainings, 1 running." in seen[0]
    assert "Finished: 10 of 10 trainings." in desk.page().texts[""]


def test_reading_changes_nothing(ended: Desk) -> None:
    before = ended.bench.files()
    ended.write(ended.folder.parent.parent / "elsewhere")
    assert ended.bench.files() == before


def test_where_there_is_no_sweep_nothing_is_made(ended: Desk, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    error = refused(str(empty))
    assert "sweep.db" in error.rule
    assert str(empty) in error.headline or error.headline.endswith("…")
    assert "No such file" in refused(str(tmp_path / "none")).rule
    assert "must have begun below" in refused(str(ended.bench.spec), "--out", str(empty)).rule
    assert not list(empty.iterdir())
    (empty / "sweep.db").write_text("no database at all, but long enough to have a header" * 20)
    assert "the storage of a sweep" in refused(str(empty)).rule


def test_the_arguments_must_name_one_place(ended: Desk) -> None:
    url = f"sqlite:///{ended.folder / 'sweep.db'}"
    assert refused().argument == "SPEC|FOLDER"
    assert refused("--storage", url).argument == "--sweep"
    assert "choose from: lr-eps" in refused("--storage", url, "--sweep", "other").remedy
    assert "choose from: lr-eps" in refused(str(ended.folder), "--sweep", "other").remedy
    assert refused("--storage", "sqlite:////nowhere/sweep.db", "--sweep", "a").argument == "--storage"


def test_a_file_stands_for_the_folder_of_its_sweep(ended: Desk) -> None:
    page = ended.folder / "report.html"
    page.unlink(missing_ok=True)
    done = CliRunner().invoke(app, ["report", str(ended.bench.spec), "--out", str(ended.bench.out)])
    assert done.exit_code == 0
    assert done.stdout == f"written: {page}, trials.csv and verdicts.json\n"
    assert page.is_file()


def test_a_folder_that_cannot_be_written(ended: Desk, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refused(str(ended.folder), "--out", str(tmp_path / "file")).argument == "--out"


def test_an_address_that_does_not_answer_keeps_its_password(tmp_path: Path) -> None:
    for url in ("postgresql+psycopg://me:hunter2@127.0.0.1:1/x", "postgresql+psycopg://me:hunter2@no.such.invalid/x"):
        error = refused("--storage", url, "--sweep", "a")
        assert error.argument == "--storage"
        assert "hunter2" not in f"{error} {error.headline} {error.remedy}"
    with pytest.raises(InputError):
        in_storage("not an address", "a")
