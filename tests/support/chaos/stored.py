"""What a storage holds, read as plain rows: without Optuna, and without a line of ours."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

ACCEPTED = ("COMPLETE", "PRUNED")

FILES = ("result.json", "metrics.jsonl", "model.safetensors", "config.yaml")
"""Of a finished training; nothing of them changes any more."""


class Stored(NamedTuple):
    """A trial, as the texts that the storage holds of it."""

    id: int
    study: str
    number: int
    state: str
    values: tuple[tuple[str, ...], ...]
    params: tuple[tuple[str, ...], ...]
    attributes: tuple[tuple[str, str], ...]

    @property
    def known(self) -> dict[str, Any]:
        return {key: json.loads(text) for key, text in self.attributes}

    @property
    def slot(self) -> tuple[str, str]:
        """The variant, and the slot's name in it; a trial without one is nobody's."""
        return self.study.split("/")[1], str(self.known.get("slot"))

    @property
    def accepted(self) -> bool:
        return self.state in ACCEPTED


def read(storage: str | Path) -> list[Stored]:
    """All trials in a SQLite file, or at a PostgreSQL address, of all studies, by study and number.

    All of it is as it was at one moment: between two questions somebody may tell a trial, state and values at once.
    """
    if isinstance(storage, Path):
        if not storage.exists():
            return []
        connection: Any = sqlite3.connect(storage, timeout=60)  # to be written: what a dead writer left is rolled back
        snapshot = "BEGIN"
    else:
        import psycopg

        connection = psycopg.connect(storage.replace("postgresql+psycopg://", "postgresql://"))
        snapshot = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    with contextlib.closing(connection):
        try:
            connection.execute(snapshot)
            return _read(connection.cursor())
        finally:
            connection.rollback()


def _read(cursor: Any) -> list[Stored]:
    def rows(query: str) -> list[tuple[Any, ...]]:
        cursor.execute(query)
        return list(cursor.fetchall())

    def by_trial(query: str) -> dict[int, list[tuple[str, ...]]]:
        found: dict[int, list[tuple[str, ...]]] = defaultdict(list)
        for trial, *rest in rows(query):
            found[trial].append(tuple(map(str, rest)))
        return found

    if isinstance(cursor, sqlite3.Cursor):
        there = rows("SELECT count(*) FROM sqlite_master WHERE name = 'trials'")
    else:
        there = rows("SELECT count(*) FROM pg_tables WHERE tablename = 'trials'")
    if there == [(0,)]:
        return []
    values = by_trial("SELECT trial_id, objective, value, value_type FROM trial_values ORDER BY objective")
    params = by_trial("SELECT trial_id, param_name, param_value FROM trial_params ORDER BY param_name")
    attributes = by_trial("SELECT trial_id, key, value_json FROM trial_user_attributes ORDER BY key")
    return [
        Stored(id_, study, number, str(state), tuple(values[id_]), tuple(params[id_]), tuple(attributes[id_]))  # type: ignore[arg-type]
        for id_, study, number, state in rows(
            "SELECT trial_id, study_name, number, CAST(state AS VARCHAR) FROM trials"
            " JOIN studies ON studies.study_id = trials.study_id ORDER BY study_name, number"
        )
    ]


def folder_of(trials: list[Stored], mine: Stored, spec: dict[str, Any]) -> Path:
    """Where the training of ``mine`` lies, below the folder of its sweep: the attempts at a slot are counted."""
    variant, slot = mine.slot
    phase, study = slot.split("/")[0].split("-")
    attempt = [t.id for t in trials if t.slot == mine.slot and t.study == mine.study].index(mine.id)
    number = mine.known["number"]
    return (
        Path(variant) / (f"{phase}-{number}" if study == "0" else f"{phase}-s{study}-{number}") / f"attempt-{attempt}"
    )


def hashes(folder: Path) -> dict[str, str]:
    """The files of a finished training, each with a hash of its content."""
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES if (folder / name).exists()
    }
