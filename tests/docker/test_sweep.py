"""A sweep in containers comes to the same end, whatever is killed and whoever joins: N1 to N8, as for any sweep."""

import json
from pathlib import Path
from typing import Any

from support.chaos.checks import codes, counts, differences, ledgers, none_twice, one_outcome
from support.docker.ride import SPEC, Ridden
from support.docker.stack import Stack


def test_a_worker_the_database_and_the_agent_were_killed(ridden: Ridden) -> None:
    assert ridden.killed == ["worker", "db", "sweep"]


def test_a_further_host_joined(ridden: Ridden) -> None:
    """It has its host's address, those of compose.yaml have addresses of its network."""
    nodes = json.loads(ridden.nodes.splitlines()[-1])
    assert sum(node.get("CPU", 0) for node in nodes) == 3
    assert len({node["address"] for node in nodes}) == len(nodes)


def test_each_slot_has_one_outcome(ridden: Ridden) -> None:
    assert one_outcome(SPEC, ridden.trials) == []


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
    killed, stopped, *others = ridden.codes
    assert (killed[0], stopped[0]) == (137, 143)
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
