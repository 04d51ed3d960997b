"""A sweep in containers comes to the same end, whatever is killed and whoever joins: N1 to N8, as for any sweep."""

from pathlib import Path
from typing import Any

from support.chaos.checks import codes, counts, differences, ledgers, lost_steps, none_twice, one_outcome, unchanged
from support.docker.ride import SPEC, Ridden
from support.docker.stack import Stack


def test_a_worker_the_database_the_agent_and_the_head_were_killed(ridden: Ridden) -> None:
    assert ridden.killed == ["worker", "db", "sweep", "head"]


def test_a_further_host_joined_and_trained(ridden: Ridden) -> None:
    """Nobody else was left to train, once it had."""
    assert ridden.joined_steps


def test_each_slot_has_one_outcome(ridden: Ridden) -> None:
    assert one_outcome(SPEC, ridden.trials) == []


def test_what_was_accepted_before_a_fault_did_not_change(ridden: Ridden, home: Path) -> None:
    assert len(ridden.acknowledged) >= 10
    assert unchanged(ridden.acknowledged.values(), ridden.trials, home, SPEC) == []


def test_no_step_was_left_out_or_made_twice(ridden: Ridden) -> None:
    """Checkpoints come home now and then, so how many steps a kill costs is not bounded here."""
    assert lost_steps([*ridden.steps, *ridden.joined_steps], None) == []


def test_nothing_was_accepted_twice_and_no_attempt_is_gone(ridden: Ridden) -> None:
    assert none_twice(ridden.trials, ridden.begun) == []


def test_ledgers_and_weights_belong_to_the_results(ridden: Ridden, home: Path) -> None:
    assert ledgers(SPEC, ridden.trials, home) == []


def test_the_results_are_those_of_a_sweep_to_which_nothing_happened(
    ridden: Ridden, stack: Stack, undisturbed: list[dict[str, Any]]
) -> None:
    results = stack.ask("results", f"/srv/runs/{SPEC['name']}")
    assert counts(SPEC, results) == []
    assert differences(undisturbed, results) == []


def test_exit_codes_and_status_are_those_of_what_happened(ridden: Ridden, stack: Stack) -> None:
    killed, headless, stopped, *others = ridden.codes
    assert (killed[0], headless[0], stopped[0]) == (137, 1, 143)
    assert [trial.state for trial in stopped[1] if trial.state == "RUNNING"] == []  # slots under way were put back
    assert codes(SPEC, others) == []
    status = stack.ask("status", f"/srv/runs/{SPEC['name']}")
    assert status["done"] is True
    assert status["agent"] is None


def test_no_traceback_was_shown(ridden: Ridden) -> None:
    assert "Traceback" not in ridden.said


def test_the_report_comes_out(home: Path) -> None:
    assert "<html" in (home / "report.html").read_text()
    assert (home / "trials.csv").is_file()
