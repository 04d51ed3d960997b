"""`spadam sweep`: what the commands print of a sweep, and how they end."""

import json
import os
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spadam import report
from spadam.cli import app
from spadam.config import RunConfig
from spadam.files import LOCK, hold
from spadam.spec import InputError, parse, validate
from spadam.sweep.outcome.finding import find
from spadam.sweep.running.task import Task
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support.sweep_bench import Bench
from support.sweep_claims import trainer


def run(cli: Any, bench: Bench, *more: object, **how: Any) -> tuple[int, str, str]:
    found: tuple[int, str, str] = cli("run", bench.spec, "--out", bench.out, "--workers", 0, *more, **how)
    return found


def test_a_run_ends_with_its_table_and_its_page(bench: Bench, cli: Any) -> None:
    code, output, told = run(cli, bench)
    assert code == 0
    assert output.startswith("lr-eps: the best of 3 trials")
    assert output.splitlines()[-1] == f"the page: {bench.folder / 'report.html'}"
    assert len(told.splitlines()) == 10
    assert {"trials.csv", "report.html"} <= {path.name for path in bench.folder.iterdir()}


def test_the_table_is_that_of_the_variants_that_were_run(bench: Bench, cli: Any) -> None:
    code, output, _ = run(cli, bench, "--variants", "lazy")
    assert code == 0
    assert "adam " not in output
    assert run(cli, bench, "--variants", "lzy")[0] == 2


def test_a_page_that_cannot_be_written_fails_nothing(bench: Bench, cli: Any) -> None:
    (bench.folder / "report.html").mkdir(parents=True)
    code, output, _ = run(cli, bench)
    assert code == 0
    assert "the page could not be written" in output
    assert f"`spadam report {bench.folder}` makes it" in output


def test_an_interruption_is_told_in_a_sentence(bench: Bench, cli: Any) -> None:
    def interrupt(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        raise KeyboardInterrupt

    code, output, told = run(cli, bench, train=interrupt)
    assert (code, output) == (130, "")
    assert told.splitlines()[-1] == "interrupted: the same command goes on from here"
    assert (bench.folder / "trials.csv").exists()
    assert run(cli, bench)[0] == 0


def test_a_training_that_fails_again_and_again_ends_with_1(bench: Bench, cli: Any) -> None:
    def broken(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        raise ArithmeticError("broken")

    code, output, told = run(cli, bench, train=broken)
    assert (code, output) == (1, "")
    assert told.splitlines()[-1].endswith("Mend it; the same command goes on.")
    assert not (bench.folder / "report.html").exists()


@pytest.mark.parametrize("command", ["status", "results"])
def test_a_file_and_a_folder_print_the_same(finished: Bench, cli: Any, command: str) -> None:
    printed = cli(command, finished.spec, "--out", finished.out)
    assert printed[0] == 0
    assert "adam" in printed[1]
    assert cli(command, finished.folder) == printed
    as_json = cli(command, finished.folder, "--json")
    assert as_json == cli(command, finished.spec, "--out", finished.out, "--json")
    assert json.loads(as_json[1])


def test_a_folder_is_planned_too(finished: Bench, cli: Any) -> None:
    code, output, _ = cli("plan", finished.folder)
    assert code == 0
    assert "0 trainings to go" in output


def test_the_best_is_printed_as_a_file_for_train(finished: Bench, cli: Any) -> None:
    code, output, _ = cli("results", finished.folder, "--best", "lazy")
    assert code == 0
    assert validate(RunConfig, parse(output, "best.yaml")) == finished.outcome().best("lazy")
    code, _, told = cli("results", finished.folder, "--best", "lzy")
    assert code == 2
    assert told.splitlines()[0] == "--best = 'lzy'"


def test_a_folder_without_a_sweep_is_refused(cli: Any, tmp_path: Path) -> None:
    code, output, told = cli("status", tmp_path)
    assert (code, output) == (2, "")
    assert "the folder must hold a sweep" in told


def test_status_says_whether_anybody_works_on_it(finished: Bench, cli: Any) -> None:
    """Attempts that a killed agent left run in its storage only."""
    finished.write({"search": {"trials": 4}})
    with sqlite3.connect(finished.folder / "sweep.db") as connection:
        connection.execute("UPDATE trials SET state = 'RUNNING' WHERE number = 2")

    def status() -> tuple[dict[str, Any], str]:
        code, output, _ = cli("status", finished.spec, "--out", finished.out, "--json")
        assert code == 0
        code, shown, _ = cli("status", finished.folder)
        assert code == 0
        return json.loads(output), shown.splitlines()[-1]

    with hold(finished.folder):
        found, said = status()
        assert found["variants"]["adam"]["running"] == 1
        assert found["agent"] == {"host": socket.gethostname(), "pid": os.getpid(), "since": found["agent"]["since"]}
        assert said == f"at work: process {os.getpid()} on {socket.gethostname()}, since {found['agent']['since']}"
    os.utime(finished.folder / LOCK, (0, 0))
    found, said = status()
    assert found["agent"] is None
    assert found["variants"]["adam"] == {"slots": 6, "accepted": 4, "running": 0, "waiting": 2, "failed": 0}
    assert said == "nobody works on it since 1970-01-01 00:00:00 UTC; `spadam sweep run` goes on"
    page = report.write(find(finished.folder, finished.out)).read_text()
    assert "nobody works on it since 1970-01-01 00:00 UTC" in page
    assert "running" not in page[: page.index("The page is as old")]


CLAIM = {"says": "lazy is better", "variants": ["lazy", "adam"], "metric": "test/fvu", "kind": "better", "margin": 0.01}
AXES = {"optimizer.lr": {"low": 1e-6, "high": 1e2, "log": True}}


def ran_with_claim(bench: Bench, cli: Any, factor: float) -> str:
    bench.write({"claims": [CLAIM], "repeat": {"seeds": 6}, "search": {"trials": 8}}, space=AXES)
    code, output, _ = run(cli, bench, train=trainer({"lazy": factor}))
    assert code == 0
    return output


@pytest.mark.parametrize(("factor", "answer", "exit_code"), [(0.5, "supported", 0), (2.0, "refuted", 1)])
def test_a_sweep_is_a_test_by_its_claims(
    factor: float, answer: str, exit_code: int, bench: Bench, cli: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ran_with_claim(bench, cli, factor)
    assert f"{answer}: lazy is better" in output
    assert "decided by: lazy better than adam in test/fvu by more than 1 %" in output
    done = CliRunner().invoke(app, ["report", str(bench.folder), "--check"])
    assert done.exit_code == exit_code
    assert f"{answer}: lazy is better" in done.output
    assert CliRunner().invoke(app, ["report", str(bench.folder)]).exit_code == 0
    shown = cli("results", bench.folder)[1]
    assert f"{answer}: lazy is better" in shown


def test_what_claims_nothing_cannot_be_checked(bench: Bench, cli: Any) -> None:
    assert run(cli, bench)[0] == 0
    with pytest.raises(InputError, match="claims nothing"):
        CliRunner().invoke(app, ["report", str(bench.folder), "--check"], catch_exceptions=False)


def test_without_claims_every_variant_is_held_against_the_first(bench: Bench, cli: Any) -> None:
    output = run(cli, bench)[1]
    assert "difference to adam, seed by seed (95 % interval)" in output
    lines = [line for line in output.splitlines() if line.startswith("lazy") and "seeds" in line]
    assert len(lines) == 1
