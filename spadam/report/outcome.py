"""What a page is made from: a sweep, where it stands, and what its trainings gave."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage

from spadam.spec import InputError
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search, recall, value_of
from spadam.sweep.outcome.summary import Line, summarise
from spadam.sweep.outcome.table import rows, status
from spadam.sweep.store.connection import open_address, open_file
from spadam.sweep.store.studies import Record
from spadam.text import short


@dataclass(frozen=True)
class Outcome:
    """A sweep that has ended, or as far as it is. Nothing here changes anything."""

    sweep: Sweep
    searches: Sequence[Search]
    attributes: Mapping[str, Any]
    """What the sweep was created from; see :func:`spadam.sweep.outcome.progress.recall`."""
    folder: Path | None
    """Where the folders of the trainings lie; None when only the storage is at hand."""

    @property
    def metric(self) -> str:
        """The objective."""
        return self.sweep.spec.objective.metric

    @property
    def minimize(self) -> bool:
        """Whether small values of the objective are good."""
        return self.sweep.spec.objective.direction == "minimize"

    @property
    def better(self) -> str:
        """Which way the objective is to be read."""
        return f"{'lower' if self.minimize else 'higher'} is better"

    @cached_property
    def lines(self) -> list[Line]:
        """A line for every study, in the order of the file and of ``searches``."""
        return summarise(self.sweep, self.searches)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """A row for every slot."""
        return rows(self.sweep, self.searches)

    @cached_property
    def status(self) -> dict[str, Any]:
        """How far the sweep is."""
        return status(self.sweep, self.searches)

    @cached_property
    def results(self) -> list[dict[str, Any]]:
        """What every accepted training gave."""
        found = [r.result for s in self.searches for r in (*s.trials, *s.repeats, *s.superseded)]
        return [result for result in found if result is not None]

    @property
    def axes(self) -> list[str]:
        """Every key that some variant searches."""
        return self.sweep.axes

    def short(self, key: str) -> str:
        """The last part of a searched ``key`` where that says which one it is."""
        return short(key, self.axes)

    def number_of(self, variant: str) -> int:
        """The place of ``variant`` in the file: its colour and its marker follow from it."""
        return list(self.sweep.variants).index(variant)

    def name(self, search: Search | Line) -> str:
        """What a study is called: its variant, and its number where there are several."""
        return search.variant + (f" (study {search.study})" if self.sweep.spec.search.studies > 1 else "")

    def of_variant(self, variant: str) -> list[Search]:
        """The studies of ``variant``."""
        return [search for search in self.searches if search.variant == variant]

    def best_first(self, variant: str) -> list[Search]:
        """The studies of ``variant`` that have a best trial, that with the best value first."""
        sign = 1 if self.minimize else -1
        found = [(s, value) for s in self.of_variant(variant) if s.best and (value := self.value(s.best)) is not None]
        return [search for search, value in sorted(found, key=lambda pair: sign * pair[1])]

    def value(self, record: Record, metric: str | None = None) -> float | None:
        """A metric of an accepted and complete training, the objective by default; None where it has none."""
        return value_of(record, metric or self.metric)


def judged(search: Search) -> list[Record]:
    """The trainings that speak for a study: its repeats that are complete, or its best trial while it has none."""
    repeats = [r for r in search.repeats if r.result is not None and r.result["status"] == "complete"]
    return repeats or ([search.best] if search.best is not None else [])


def setting(record: Record, key: str) -> Any:
    """What a training had at ``key`` of its configuration; None where it has no result, or no such key."""
    value: Any = None if record.result is None else record.result["config"]
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


@contextlib.contextmanager
def in_folder(folder: Path, name: str | None = None) -> Iterator[Outcome]:
    """The sweep that lies in ``folder``; nothing is made there. Raises :class:`InputError` when there is none."""
    path = folder / "sweep.db"
    if not path.is_file():
        rule = "the folder must hold a sweep (a file sweep.db)"
        raise InputError("FOLDER", str(folder), rule, "give the folder that `spadam sweep run` wrote: OUT/<sweep name>")
    with open_file(path) as storage:
        yield _recall(storage, name or _only_name(storage, folder), folder)


@contextlib.contextmanager
def in_storage(url: str, name: str) -> Iterator[Outcome]:
    """The sweep called ``name`` at the address ``url``, without folders. Raises :class:`InputError`."""
    with open_address(url) as storage:
        yield _recall(storage, name, None)


def _only_name(storage: BaseStorage, folder: Path) -> str:
    """The name of the one sweep in ``storage``, whatever its folder is called by now."""
    names = [study.study_name for study in storage.get_all_studies() if "/" not in study.study_name]
    return names[0] if len(names) == 1 else folder.resolve().name


def _recall(storage: BaseStorage, name: str, folder: Path | None) -> Outcome:
    sweep, searches, attributes = recall(storage, name)
    return Outcome(sweep, searches, attributes, folder)
