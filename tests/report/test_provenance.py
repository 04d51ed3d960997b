"""Where numbers come from, and how they are made again: what the end of the page says."""

import base64
import re
from collections.abc import Callable

from typer.testing import CliRunner

from spadam.cli import app
from spadam.report.provenance import in_runs
from spadam.spec import parse
from spadam.sweep.definition.reading import check
from spadam.sweep.running.task import Task
from spadam.training.commit import commit
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support.report_bench import Desk, rows_of, train


def test_versions_commit_machine_and_data_with_how_many_trainings_had_them(digits: Desk) -> None:
    found = {(row["what"], row["trainings"]) for row in digits.page().table("provenance")}
    assert {(name, "4") for name in ("torch", "kernels", "device", "platform", "data", "python", "spadam")} <= found
    assert not {"started", "seconds"} & {what for what, _ in found}  # they differ in every training
    if commit() is not None:
        assert ("commit", "4") in found


def test_two_values_of_one_thing_have_a_row_each(desk: Desk) -> None:
    def two(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        result = train(task, progress)
        return result._replace(provenance={"versions": {"torch": task.slot.variant}, "seconds": 1.0})

    assert desk.run(two) == 0
    page = desk.page()
    assert [(r["what"], r["value"], r["trainings"]) for r in page.table("provenance")] == [
        ("torch", "adam", "5"),
        ("torch", "lazy", "5"),
    ]
    assert "The commit is not known" in page.texts["provenance"]


def test_every_seed_is_told(ended: Desk) -> None:
    told = {row["seed"]: row["value"] for row in ended.page().table("provenance")}
    repeats = {row["seed"] for row in rows_of(ended, phase="repeat")}
    assert told["of the repeats"] == in_runs(repeats) == "10000 to 10002"
    assert told["of the search (search.seed)"] == "0"
    assert told["of the search trials"] == "0"


def test_the_file_that_can_be_saved_is_that_of_the_sweep(ended: Desk) -> None:
    page = ended.page()
    (link,) = [link for link in page.names("a") if "download" in link]
    assert link["download"] == "lr-eps.yaml"
    text = base64.b64decode(str(link["href"]).partition(",")[2]).decode()
    assert text == ended.bench.spec.read_text()
    assert check(parse(text, "the file")).name == "lr-eps"


def test_every_command_has_the_options_that_it_is_shown_with(ended: Desk) -> None:
    (shown,) = re.findall(r'<section id="again".*?</section>', ended.page().markup, re.DOTALL)
    blocks = re.findall(r"<pre><code>(.*?)</code></pre>", shown, re.DOTALL)
    commands = [line.partition("&gt;")[0].split() for block in blocks for line in block.splitlines()]
    assert len(commands) == 5
    for _, *words in commands:
        names = [word for word in words[:2] if re.fullmatch("[a-z]+", word)]
        helped = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "200"})
        assert helped.exit_code == 0, words
        assert all(word in helped.output for word in words if word.startswith("--")), words
