"""Paths on the command line: the home folder, and folders that must be there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer

from spadam.cli import app, options
from spadam.spec import at_home
from support.sweep_bench import Bench


def path_parameters(group: typer.Typer) -> Iterator[tuple[str, Any]]:
    """Every parameter of a command that is a path, with what its command line knows of it."""
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from path_parameters(inner.typer_instance)
    for command in group.registered_commands:
        function = command.callback
        assert function is not None
        for name, hint in get_type_hints(function, include_extras=True).items():
            if Path in (parts := get_args(hint)) or any(Path in get_args(part) for part in parts):
                yield f"{function.__name__} {name}", hint.__metadata__[0]


PARAMETERS = dict(path_parameters(app))


def test_commands_take_paths() -> None:
    assert {"train config", "report place", "report out", "bench json", "plan spec", "run out"} <= set(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_path_of_every_command_may_begin_at_home(name: str) -> None:
    assert PARAMETERS[name].callback in (options.at_home, options.must_be_there)


def test_a_path_in_quotes_begins_at_home(bench: Bench, cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run()
    monkeypatch.setenv("HOME", str(bench.out.parent))
    monkeypatch.chdir(bench.out)
    expected = cli("status", bench.spec, "--out", bench.out)
    assert cli("status", "~/sweep.yaml", "--out=~/runs") == expected
    assert cli("status", "~/runs/lr-eps") == expected
    code, _, told = cli("status", bench.spec, "--out", "~nobody-of-this-name/x")
    assert code == 2
    assert told.startswith("--out = '~nobody-of-this-name/x'")
    assert not (bench.out / "~").exists()


def test_python_begins_at_home_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert at_home("~/x", "out") == tmp_path / "x"
    assert at_home("a/~/x", "out") == Path("a/~/x")


@pytest.mark.parametrize("command", ["status", "results"])
def test_a_mistyped_out_is_told_with_its_neighbour(bench: Bench, cli: Any, command: str) -> None:
    bench.run()
    code, output, told = cli(command, bench.spec, "--out", bench.out.with_name("rnus"))
    assert (code, output) == (2, "")
    assert "there must be such a folder" in told
    assert f"did you mean {bench.out}?" in told


@pytest.mark.parametrize("command", ["status", "results"])
def test_a_sweep_that_has_not_begun_does_not_look_like_one_that_runs(bench: Bench, cli: Any, command: str) -> None:
    bench.out.mkdir()
    code, output, told = cli(command, bench.spec, "--out", bench.out)
    assert (code, output) == (0, "")
    assert told == f"lr-eps has not begun below {bench.out}\n"
    assert cli(command, bench.spec, "--out", bench.out, "--json")[0] == 0
    assert not any(bench.out.iterdir())


def test_it_is_said_where_a_sweep_may_lie(bench: Bench, cli: Any) -> None:
    bench.run()
    other = bench.out.with_name("other")
    other.mkdir()
    assert cli("status", bench.spec, "--out", other)[2].endswith(f"one of that name lies below {bench.out}\n")
    bench.write({"name": "lr-epss"})
    assert cli("status", bench.spec, "--out", bench.out)[2].endswith("one called lr-eps has\n")
    code, _, told = cli("status", bench.out)
    assert code == 2
    assert f"give one of: {bench.folder}" in told
