"""A sweep's SQLite file, read without Optuna: importing Optuna and SQLAlchemy takes longer than all the rest of a look.

It knows one layout of Optuna's tables, and says :class:`UnknownLayout` to anything else: then Optuna itself must read.
"""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args
from urllib.parse import quote

from spadam.sweep.store.attempts import Attempt, Record, State, gather, study_names

LAYOUT = (12, "v3.2.0.a")
"""The version of the tables, and that of the migrations, which Optuna 4 and 5 write."""

PATIENCE_SECONDS = 60.0
"""A writer holds SQLite's lock for a moment, whenever it commits."""


class UnknownLayout(Exception):
    """The file cannot be read here; the text says why."""


class FileStudies(NamedTuple):
    """One sweep in a file; see :class:`~spadam.sweep.store.attempts.Stored`."""

    name: str
    described: dict[str, dict[str, Any]]
    """The attributes of every study, by its name."""
    attempts: dict[str, list[Attempt]]
    """The attempts of every study, by its name."""

    def attributes(self) -> dict[str, Any]:
        """What the sweep was created from; empty before that."""
        return self.described.get(self.name, {})

    def records(self, variant: str, studies: int) -> dict[str, Record]:
        """All slots of ``variant`` that have attempts, by slot id, in the order in which they were made."""
        names = study_names(self.name, variant, studies)
        return gather(variant, (attempt for name in names for attempt in self.attempts.get(name, ())))


class FileReader(NamedTuple):
    """A whole file, as it was at one moment; see :class:`~spadam.sweep.store.attempts.Reader`."""

    described: dict[str, dict[str, Any]]
    attempts: dict[str, list[Attempt]]

    def sweeps(self) -> list[str]:
        """The names of all sweeps that it holds."""
        return [name for name in self.described if "/" not in name]

    def sweep(self, name: str) -> FileStudies:
        """The sweep of this name; it need not be there."""
        return FileStudies(name, self.described, self.attempts)


def read_file(path: Path) -> FileReader:
    """Everything in the file ``path``, between two commits of those who write there.

    The file is opened to read only, and nothing is made beside it. Raises :class:`UnknownLayout` for other tables than
    :data:`LAYOUT`, for what cannot be understood in them, and where SQLite would have to write before it can read:
    beside a file in WAL mode, and into one whose writer has died in the middle of a commit.
    """
    try:
        with path.open("rb") as file:
            if file.read(20)[18:] != b"\1\1":  # how the file is written and read: by a rollback journal
                raise UnknownLayout("the file is in WAL mode, or is no SQLite file")
        address = f"file:{quote(str(path.absolute()))}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=PATIENCE_SECONDS)) as connection:
            connection.execute("BEGIN")  # all queries see one state
            return _read(connection)
    except (sqlite3.Error, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnknownLayout(f"{type(error).__name__}: {error}") from error


def _read(connection: sqlite3.Connection) -> FileReader:
    versions = connection.execute(
        "SELECT schema_version, version_num FROM version_info CROSS JOIN alembic_version"
    ).fetchall()
    if versions != [LAYOUT]:
        raise UnknownLayout(f"the tables have the versions {versions}, not {LAYOUT}")
    studies: dict[int, str] = dict(connection.execute("SELECT study_id, study_name FROM studies ORDER BY study_id"))
    described = _by_owner(connection, "SELECT study_id, key, value_json FROM study_user_attributes")
    trials = connection.execute(
        "SELECT trial_id, study_id, number, state, datetime_start IS NOT NULL FROM trials ORDER BY study_id, number"
    ).fetchall()
    values = _values(connection)
    params = _params(connection)
    fixed = _by_owner(
        connection, "SELECT trial_id, key, value_json FROM trial_system_attributes WHERE key = 'fixed_params'"
    )
    attributes = _unread(connection, "SELECT trial_id, key, value_json FROM trial_user_attributes")
    attempts: dict[str, list[Attempt]] = defaultdict(list)
    for id_, study, number, stored_state, started in trials:
        attempts[studies[study]].append(
            Attempt(
                id_,
                number,
                _STATES[stored_state],
                bool(started),
                values.get(id_),
                params.get(id_, {}),
                fixed.get(id_, {}).get("fixed_params", {}),
                Unread(attributes.get(id_, {})),
            )
        )
    return FileReader({name: described.get(id_, {}) for id_, name in studies.items()}, dict(attempts))


class Unread(Mapping[str, Any]):
    """Values as JSON, each read when it is asked for: results are large, and few are looked at."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._read: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        if key not in self._read:
            self._read[key] = json.loads(self._texts[key])
        return self._read[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def _unread(connection: sqlite3.Connection, query: str) -> dict[int, dict[str, str]]:
    """What ``query`` gives, rows of owner, key, and a value as JSON, as texts for every owner."""
    if connection.execute(f"SELECT count(*) FROM ({query}) WHERE NOT json_valid(value_json)").fetchone() != (0,):
        raise UnknownLayout("an attribute is no JSON")
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for owner, key, value in connection.execute(query):
        found[owner][key] = value
    return found


def _by_owner(connection: sqlite3.Connection, query: str) -> dict[int, dict[str, Any]]:
    """What ``query`` gives, rows of owner, key, and a value as JSON, as a mapping for every owner."""
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    for owner, key, value in connection.execute(query):
        found[owner][key] = json.loads(value)
    return found


_STATES: dict[str, State] = {state.upper(): state for state in get_args(State)}


def _values(connection: sqlite3.Connection) -> dict[int, float]:
    found: dict[int, float] = {}
    infinite = {"INF_POS": math.inf, "INF_NEG": -math.inf}
    for trial, objective, value, kind in connection.execute(
        "SELECT trial_id, objective, value, value_type FROM trial_values"
    ):
        if objective != 0:
            raise UnknownLayout("a trial has several objectives")
        found[trial] = float(value) if kind == "FINITE" else infinite[kind]
    return found


def _params(connection: sqlite3.Connection) -> dict[int, dict[str, Any]]:
    """The parameters of every trial, in the order in which they were written."""
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    known: dict[str, Callable[[float], Any]] = {}  # trials of a study share their distributions
    for trial, name, value, distribution in connection.execute(
        "SELECT trial_id, param_name, param_value, distribution_json FROM trial_params ORDER BY param_id"
    ):
        if distribution not in known:
            known[distribution] = _external(json.loads(distribution))
        found[trial][name] = known[distribution](value)
    return found


def _external(distribution: dict[str, Any]) -> Callable[[float], Any]:
    """How a parameter of ``distribution`` is told from the number that is stored for it."""
    match distribution["name"]:
        case "FloatDistribution":
            return float
        case "IntDistribution":
            return int
        case "CategoricalDistribution":
            choices = distribution["attributes"]["choices"]
            return lambda index: choices[int(index)]
    raise UnknownLayout(f"no distribution is called {distribution['name']}")
