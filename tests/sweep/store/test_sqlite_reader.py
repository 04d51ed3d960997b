"""A sweep's file as it is read without Optuna: the same that Optuna reads, and nothing is changed by looking."""

import math
import random
import shutil
import sqlite3
import threading
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from spadam.spec import InputError
from spadam.sweep.outcome.finding import in_folder
from spadam.sweep.outcome.table import rows
from spadam.sweep.search.slots import Slot
from spadam.sweep.store.attempts import Attempt, Reader
from spadam.sweep.store.connection import open_file
from spadam.sweep.store.opening import open_to_read
from spadam.sweep.store.sqlite_reader import read_file
from spadam.sweep.store.studies import StorageReader, attempt_of
from spadam.sweep.store.tables import TableReader, UnknownLayout
from support.sweep_bench import Bench

STATES = [TrialState.WAITING, TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]

SPACE: dict[str, BaseDistribution] = {
    "optimizer.lr": FloatDistribution(1e-6, 1.0, log=True),
    "größe": FloatDistribution(-1.0, 1.0, step=0.25),
    "latents": IntDistribution(1, 4096, log=True),
    "k": IntDistribution(-8, 8, step=4),
    "rule": CategoricalDistribution((None, True, 3, 2.5, "k ∈ {1, 'zwei'}")),
}

VALUES = [0.5, -0.0, 1e-300, 1e300, math.inf, -math.inf]


def draw(rng: random.Random, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return rng.choice(distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    if distribution.step is not None and not distribution.log:
        return distribution.low + distribution.step * rng.randrange(3)
    drawn = math.exp(rng.uniform(math.log(distribution.low), math.log(distribution.high)))
    return int(drawn) if isinstance(distribution, IntDistribution) else drawn


def write_random_sweep(path: Path, seed: int) -> None:
    """A sweep with attempts of every state, several a slot, and whatever a storage can hold."""
    rng = random.Random(seed)
    with open_file(path) as storage:
        for name in ("wüst", "wüst/a/search-0", "wüst/a/search-1", "wüst/a/repeat", "another", "another/a/search-0"):
            study = optuna.create_study(storage=storage, study_name=name)
            study.set_user_attr("plan", {"facts": {"ü": [1, 2.5, None, rng.random()]}})
            for number in range(rng.randrange(1, 12) if "/" in name else 0):
                state = rng.choice(STATES)
                slot = Slot("a", "search", int(name[-1] == "1"), rng.randrange(3), 7)
                attributes: dict[str, Any] = {"slot": slot.id, "study": slot.study, "number": slot.number, "seed": 7}
                if name.endswith("repeat"):
                    slot = slot._replace(phase="repeat", point="0123456789ab")
                    attributes |= {"slot": slot.id, "point": slot.point}
                if rng.random() < 0.5:
                    attributes["result"] = {"metrics": {"val/fvu": rng.random(), "none": None}, "told": "½ ✓" * number}
                names = rng.sample(list(SPACE), rng.randrange(len(SPACE) + 1))
                params = {key: draw(rng, SPACE[key]) for key in names}
                fixed = {key: draw(rng, SPACE[key]) for key in SPACE} if rng.random() < 0.7 else {}
                valued = state == TrialState.COMPLETE or (state == TrialState.PRUNED and rng.random() < 0.5)
                study.add_trial(
                    create_trial(
                        state=state,
                        params=params,
                        distributions={key: SPACE[key] for key in names},
                        value=rng.choice(VALUES) if valued else None,
                        user_attrs=attributes,
                        system_attrs={"fixed_params": fixed, "other": 1} if fixed else {},
                    )
                )


def through_optuna(path: Path) -> tuple[dict[str, list[Attempt]], dict[str, dict[str, Any]]]:
    with open_file(path) as storage:
        studies = {study.study_name: study for study in storage.get_all_studies()}
        attempts = {
            name: [attempt_of(trial) for trial in storage.get_all_trials(study._study_id)]
            for name, study in studies.items()
        }
        return attempts, {name: study.user_attrs for name, study in studies.items()}


def check_equal(path: Path) -> TableReader:
    """Both ways of reading give the same attempts, with the same types, and the same records."""
    reader = read_file(path)
    attempts, described = through_optuna(path)
    assert reader.described == described
    assert {name: reader.attempts.get(name, []) for name in attempts} == attempts
    for name, there in reader.attempts.items():
        for mine, other in zip(there, attempts[name], strict=True):
            assert list(mine.params) == list(other.params)
            for key, value in mine.params.items():
                assert type(value) is type(other.params[key])
            assert mine.value == other.value
    with open_file(path) as storage:
        through = StorageReader(storage)
        assert reader.sweeps() == through.sweeps()
        for sweep in reader.sweeps():
            ours, optunas = reader.sweep(sweep), through.sweep(sweep)
            assert ours.attributes() == optunas.attributes()
            for variant in ("a", "adam", "lazy", "none"):
                assert list(ours.records(variant, 2).items()) == list(optunas.records(variant, 2).items())
    return reader


@pytest.mark.parametrize("seed", range(6))
def test_random_storages_are_read_as_optuna_reads_them(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "a b#c?d%20é.db"
    write_random_sweep(path, seed)
    reader = check_equal(path)
    assert reader.sweeps() == ["wüst", "another"]
    assert reader.sweep("absent").attributes() == {}
    assert reader.sweep("absent").records("a", 3) == {}


def test_a_sweep_is_read_as_optuna_reads_it(bench: Bench) -> None:
    bench.write({"search": {"sampler": "tpe", "trials": 5}})
    bench.run()
    reader = check_equal(bench.folder / "sweep.db")
    assert reader.sweeps() == ["lr-eps"]
    assert len(reader.sweep("lr-eps").records("lazy", 1)) == 5 + 2


def test_looking_changes_nothing(bench: Bench) -> None:
    bench.run()
    before = bench.files()
    assert in_folder(bench.folder).done
    assert bench.outcome().done
    assert bench.files() == before, "no journal is left either"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "sweep.db"
    write_random_sweep(path, 0)
    return path


def test_a_writer_does_not_keep_it_from_reading(small: Path) -> None:
    """What is not committed is not seen; and a writer that commits meanwhile is waited for."""
    before = read_file(small)
    with sqlite3.connect(small, isolation_level=None, check_same_thread=False) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM trials")
        assert read_file(small) == before
        writer.execute("ROLLBACK")
        writer.execute("BEGIN EXCLUSIVE")
        timer = threading.Timer(0.3, writer.execute, ["COMMIT"])
        timer.start()
        assert read_file(small) == before
        timer.join()
        writer.execute("BEGIN IMMEDIATE")  # a reader has left no lock behind
        writer.execute("COMMIT")
    writer.close()


WRONG = {
    "tables of another version": "UPDATE version_info SET schema_version = 13",
    "another migration": "UPDATE alembic_version SET version_num = 'v9.0.0.a'",
    "no migration": "DELETE FROM alembic_version",
    "no table of values": "ALTER TABLE trial_values RENAME TO elsewhere",
    "a new state": "UPDATE trials SET state = 'PAUSED'",
    "a new kind of value": "UPDATE trial_values SET value_type = 'NAN'",
    "several objectives": "UPDATE trial_values SET objective = 1",
    "a new distribution": """UPDATE trial_params SET distribution_json = '{"name": "Normal", "attributes": {}}'""",
    "an old distribution": """UPDATE trial_params SET distribution_json = '{"type": "float", "low": 0, "high": 1}'""",
    "no JSON": "UPDATE trial_user_attributes SET value_json = '{'",
    "a trial of no study": "UPDATE trials SET study_id = 99",
    "WAL mode": "PRAGMA journal_mode = WAL",
}


def change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("statement", WRONG.values(), ids=WRONG)
def test_what_it_does_not_know_it_leaves_to_optuna(small: Path, statement: str) -> None:
    change(small, statement)
    with pytest.raises(UnknownLayout):
        read_file(small)
    assert {path.name for path in small.parent.iterdir()} == {"sweep.db"}


def test_what_a_dead_writer_left_is_for_optuna(small: Path, tmp_path: Path) -> None:
    """Half of a transaction is in the file: somebody must roll it back, and that is to write."""
    before, dead = read_file(small), tmp_path / "dead"
    dead.mkdir()
    with sqlite3.connect(small) as writer:
        writer.execute("PRAGMA cache_size = 1")  # so that pages are written before the commit
        writer.execute("UPDATE trial_user_attributes SET value_json = '0'")
        for name in ("sweep.db", "sweep.db-journal"):
            shutil.copy(small.parent / name, dead / name)
        writer.rollback()
    writer.close()
    assert (dead / "sweep.db").read_bytes() != small.read_bytes()
    with pytest.raises(UnknownLayout, match="readonly"):
        read_file(dead / "sweep.db")
    with open_to_read(dead / "sweep.db") as reader:
        assert reader.sweep("wüst").records("a", 2) == before.sweep("wüst").records("a", 2)


@pytest.mark.parametrize("statement", [WRONG["an old distribution"], WRONG["WAL mode"]], ids=["distribution", "WAL"])
def test_optuna_reads_it_then(bench: Bench, statement: str) -> None:
    bench.run()
    before = rows(*bench.read())

    def kind(path: Path) -> type[Reader]:
        with open_to_read(path) as reader:
            return type(reader)

    path = bench.folder / "sweep.db"
    assert kind(path) is TableReader
    change(path, statement)
    assert kind(path) is StorageReader
    assert rows(*bench.read()) == before
    assert in_folder(bench.folder).done


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + bytes(4) + b"no database" * 40])
def test_a_file_of_another_kind_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sweep.db"
    path.write_bytes(content)
    with pytest.raises(UnknownLayout):
        read_file(path)
    with pytest.raises(InputError):
        in_folder(tmp_path)
