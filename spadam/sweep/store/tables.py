"""Optuna's tables, read without Optuna: importing Optuna and SQLAlchemy takes longer than all the rest of a look.

One layout of the tables is known, and :class:`UnknownLayout` is said to anything else: then Optuna itself must read.
The same statements serve SQLite and PostgreSQL.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, get_args

from spadam.sweep.search.objective import Told
from spadam.sweep.store.attempts import Attempt, Record, State, gather, study_names
from spadam.sweep.store.unread import Unread

LAYOUT = (12, "v3.2.0.a")
"""The version of the tables, and that of the migrations, which Optuna 4 and 5 write."""


class UnknownLayout(Exception):
    """The tables cannot be read here; the text says why."""


class StoredStudies(NamedTuple):
    """One sweep in the tables; see :class:`~spadam.sweep.store.attempts.Stored`."""

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


class TableReader(NamedTuple):
    """All tables, as they were at one moment; see :class:`~spadam.sweep.store.attempts.Reader`."""

    described: dict[str, dict[str, Any]]
    attempts: dict[str, list[Attempt]]

    def sweeps(self) -> list[str]:
        """The names of all sweeps that are there."""
        return [name for name in self.described if "/" not in name]

    def sweep(self, name: str) -> StoredStudies:
        """The sweep of this name; it need not be there."""
        return StoredStudies(name, self.described, self.attempts)


Rows = Callable[[str], Iterable[tuple[Any, ...]]]
"""Answers a query with rows."""


def read_tables(rows: Rows) -> TableReader:
    """Everything in the tables; all queries must see one state.

    Raises :class:`UnknownLayout` for another layout, and what comes of values that cannot be understood.
    """
    versions = list(rows("SELECT schema_version, version_num FROM version_info CROSS JOIN alembic_version"))
    if versions != [LAYOUT]:
        raise UnknownLayout(f"the tables have the versions {versions}, not {LAYOUT}")
    studies: dict[int, str] = dict(rows("SELECT study_id, study_name FROM studies ORDER BY study_id"))
    described = _by_owner(rows("SELECT study_id, key, value_json FROM study_user_attributes"))
    values = _values(rows)
    params = _params(rows)
    fixed = _by_owner(rows("SELECT trial_id, key, value_json FROM trial_system_attributes WHERE key = 'fixed_params'"))
    attributes = _unread(rows("SELECT trial_id, key, value_json FROM trial_user_attributes"))
    attempts: dict[str, list[Attempt]] = defaultdict(list)
    for id_, study, number, stored_state, started in rows(
        "SELECT trial_id, study_id, number, state, datetime_start IS NOT NULL FROM trials ORDER BY study_id, number"
    ):
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
    return TableReader({name: described.get(id_, {}) for id_, name in studies.items()}, dict(attempts))


def _unread(found: Iterable[tuple[Any, ...]]) -> dict[int, dict[str, str]]:
    """Rows of owner, key, and a value as JSON: as texts for every owner."""
    texts: dict[int, dict[str, str]] = defaultdict(dict)
    for owner, key, value in found:
        texts[owner][key] = value
    return texts


def _by_owner(found: Iterable[tuple[Any, ...]]) -> dict[int, dict[str, Any]]:
    """Rows of owner, key, and a value as JSON: as a mapping for every owner."""
    return {owner: {key: json.loads(text) for key, text in mine.items()} for owner, mine in _unread(found).items()}


_STATES: dict[str, State] = {state.upper(): state for state in get_args(State)}


def _values(rows: Rows) -> dict[int, Told]:
    """What was told of every trial: a number, or several where its study has several objectives."""
    found: dict[int, list[float]] = defaultdict(list)
    infinite = {"INF_POS": math.inf, "INF_NEG": -math.inf}
    query = "SELECT trial_id, objective, value, value_type FROM trial_values ORDER BY trial_id, objective"
    for trial, objective, value, kind in rows(query):
        if objective != len(found[trial]):
            raise UnknownLayout("a trial lacks the value of an objective")
        found[trial].append(float(value) if kind == "FINITE" else infinite[kind])
    return {trial: values[0] if len(values) == 1 else tuple(values) for trial, values in found.items()}


def _params(rows: Rows) -> dict[int, dict[str, Any]]:
    """The parameters of every trial, in the order in which they were written."""
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    known: dict[str, Callable[[float], Any]] = {}  # trials of a study share their distributions
    for trial, name, value, distribution in rows(
        "SELECT trial_id, param_name, param_value, distribution_json FROM trial_params ORDER BY param_id"
    ):
        if distribution not in known:
            known[distribution] = _external(json.loads(distribution))
        found[trial][name] = known[distribution](value)
    return found


def _external(distribution: Mapping[str, Any]) -> Callable[[float], Any]:
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
