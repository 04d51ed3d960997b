"""Code that a file names: refused by --no-custom before it is imported, and on a cluster unless it is allowed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spadam.config import RunConfig
from spadam.spec import NO_CUSTOM, Document, InputError, parse, validate
from spadam.sweep.running.cluster.trust import check_trusted
from spadam.sweep.running.means import Cluster
from support.wandb_desk import Desk

RUN = """\
data: {name: digits}
%s
trainer: {epochs: null, steps: 1}
tracking: {mode: disabled}
"""
OPTIMIZER = "optimizer: {name: custom, path: planted.Planted, gradient: dense}"
MODEL = "model: {name: custom, path: planted.Planted}\noptimizer: {name: adam}"
SWEEP = """\
name: planted
base:
  data: {name: digits}
  tracking: {mode: disabled}
  trainer: {epochs: null, steps: 1}
variants:
  own: {%s}
search: {sampler: random, trials: 1}
repeat: {seeds: 0}
"""
PLANTED = "open('it-was-imported', 'w').close()\nclass Planted: ...\n"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def here(desk: Desk) -> Path:
    """A folder with a module of a person's own, and files that name it."""
    here = desk.root / "here"
    (here / "planted.py").write_text(PLANTED)
    (here / "optimizer.yaml").write_text(RUN % OPTIMIZER)
    (here / "model.yaml").write_text(RUN % MODEL)
    (here / "sweep.yaml").write_text(SWEEP % OPTIMIZER)
    return here


@pytest.mark.slow
@pytest.mark.parametrize("way", ["option", "environment"])
@pytest.mark.parametrize(
    "words",
    [
        ("train", "optimizer.yaml"),
        ("train", "model.yaml"),
        ("sweep", "run", "sweep.yaml"),
        ("sweep", "plan", "sweep.yaml"),
    ],
    ids="-".join,
)
def test_what_a_file_names_is_not_imported(words: tuple[str, ...], way: str, desk: Desk, here: Path) -> None:
    more = ("--no-custom",) if way == "option" else ()
    variables = {} if way == "option" else {NO_CUSTOM: "1"}
    done = desk.command("spadam", *words, *more, **variables, PYTHONPATH=f"{desk.environment['PYTHONPATH']}:{here}")
    assert done.returncode == 2, done.stderr
    assert "planted.Planted" in done.stderr
    assert "--no-custom" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (here / "it-was-imported").exists()
    assert not (here / "runs").exists()


def test_on_a_cluster_it_must_be_allowed(desk: Desk, here: Path) -> None:
    done = desk.command("spadam", "sweep", "run", "sweep.yaml", "--crew", "ray")
    assert done.returncode == 2
    assert "planted.Planted" in done.stderr
    assert "--allow-custom" in done.stderr
    assert not (here / "runs").exists()


@pytest.mark.parametrize("text", [OPTIMIZER, MODEL])
def test_what_is_allowed_passes(text: str) -> None:
    config = validate(RunConfig, parse(RUN % text, "run.yaml"))
    assert config.own_code == ("planted.Planted",)
    check_trusted([config], Cluster(allow_custom=True))
    with pytest.raises(InputError, match="allow-custom"):
        check_trusted([config], Cluster())


def test_what_comes_with_the_package_needs_no_leave() -> None:
    given = {"data": {"name": "digits"}, "optimizer": {"name": "lazy_adam"}}
    config = validate(RunConfig, Document(given, {}, "run.yaml"))
    assert config.own_code == ()
    check_trusted([config], Cluster())


def test_it_says_something_about_a_cluster_only(desk: Desk, here: Path) -> None:
    done = desk.command("spadam", "sweep", "run", "sweep.yaml", "--allow-custom")
    assert done.returncode == 2
    assert "--crew ray" in done.stderr


def test_the_option_holds_for_its_command_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from spadam.cli import app

    monkeypatch.delenv(NO_CUSTOM, raising=False)
    CliRunner().invoke(app, ["train", str(tmp_path / "none.yaml"), "--no-custom"])
    assert NO_CUSTOM not in os.environ
