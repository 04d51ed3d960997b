"""An outcome: a sweep, how far it is, and what its trainings gave; read at any time, also while the sweep runs."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from spadam.config import RunConfig
from spadam.files import Holder, check_folder, holder, last_sign
from spadam.spec import InputError
from spadam.sweep.definition.reading import load
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.damage import told_if_damaged
from spadam.sweep.outcome.places import lies_elsewhere, no_sweep
from spadam.sweep.outcome.progress import Search, read, recall, value_of
from spadam.sweep.outcome.summary import StudySummary, summarise
from spadam.sweep.outcome.table import best_config, rows, status
from spadam.sweep.store.attempts import Reader, Record
from spadam.sweep.store.opening import open_to_read
from spadam.text import short
from spadam.training.result import RunResult


@dataclass(frozen=True)
class Outcome:
    """A sweep that has ended, or as far as it was when it was read. Nothing here changes anything."""

    sweep: Sweep
    searches: Sequence[Search]
    """Its studies, in the order of the file."""
    attributes: Mapping[str, Any]
    """What the sweep was created from; see :func:`spadam.sweep.outcome.progress.recall`. Empty before it has begun."""
    folder: Path | None
    """Where the folders of the trainings lie; None when only the storage is at hand."""
    trouble: str | None = None
    """Why the agent gave up, when this is what it left: a training failed again and again."""
    agent: Holder | None = None
    """Who was at work on it when it was read; None when nobody was, or the folder is not at hand."""

    def trials(self) -> list[dict[str, Any]]:
        """The trials of the searches, one mapping each, as `spadam sweep results --json` prints them.

        Its keys: `variant`, `slot`, `phase` (search), `study`, `seed`, `status` (complete, pruned, diverged, waiting,
        running or failed), `params`, `value` (the objective of a complete training, else None), `metrics`, `attempts`.
        """
        return self._phase("search")

    def repeats(self) -> list[dict[str, Any]]:
        """The repeats of the best of every study, one mapping each, with the keys of :meth:`trials`.

        `status` may be superseded too: then it repeats what was the best before the search was extended.
        """
        return self._phase("repeat")

    def best(self, variant: str) -> RunConfig:
        """The configuration of the best trial of ``variant``, to be trained with :func:`spadam.run`.

        Of several studies it is the one with the best value. Raises :class:`InputError` when there is none.
        """
        return best_config(self.sweep, self.searches, variant)

    def status(self) -> dict[str, Any]:
        """How far the sweep is, as `spadam sweep status --json` prints it: `sweep`, `done`, `agent`, `variants`."""
        return copy.deepcopy(self._status)

    @property
    def done(self) -> bool:
        """Whether everything that the sweep plans is accepted."""
        return bool(self._status["done"])

    @property
    def left_since(self) -> datetime | None:
        """When whoever was last at work on it was last heard of; None when it is done, or somebody is at work."""
        return None if self.done or self.agent or self.folder is None else last_sign(self.folder)

    @property
    def metric(self) -> str:
        """The objective."""
        return self.sweep.spec.objective.metric

    @property
    def minimize(self) -> bool:
        """Whether small values of the objective are good."""
        return self.sweep.spec.objective.direction == "minimize"

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """A row for every slot; see :func:`spadam.sweep.outcome.table.rows`."""
        return rows(self.sweep, self.searches)

    @cached_property
    def summaries(self) -> list[StudySummary]:
        """A summary of every study, in the order of the file and of ``searches``."""
        return summarise(self.sweep, self.searches)

    @cached_property
    def results(self) -> list[RunResult]:
        """What every accepted training gave."""
        found = [r.result for s in self.searches for r in (*s.trials, *s.repeats, *s.superseded)]
        return [result for result in found if result is not None]

    @property
    def better(self) -> str:
        """Which way the objective is to be read."""
        return f"{'lower' if self.minimize else 'higher'} is better"

    @property
    def axes(self) -> list[str]:
        """Every key that some variant searches."""
        return self.sweep.axes

    def short(self, key: str) -> str:
        """The last part of a searched ``key`` where that says which one it is."""
        return short(key, self.axes)

    def name(self, study: Search | StudySummary) -> str:
        """What a study is called: its variant, and its number where there are several."""
        return study.variant + (f" (study {study.study})" if self.sweep.spec.search.studies > 1 else "")

    def number_of(self, variant: str) -> int:
        """The place of ``variant`` in the file: its colour and its marker follow from it."""
        return list(self.sweep.variants).index(variant)

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

    @cached_property
    def _status(self) -> dict[str, Any]:
        return status(self.sweep, self.searches, self.agent)

    def _phase(self, phase: str) -> list[dict[str, Any]]:
        return copy.deepcopy([row for row in self.rows if row["phase"] == phase])


def find(place: Path, out: Path) -> Outcome:
    """The sweep whose file or whose folder is ``place``; that of a file lives below the folder ``out``.

    Nothing is made, locked or changed. Raises :class:`InputError` when the file is wrong or is not that of the sweep of
    its name in ``out``, or the folder holds no sweep.
    """
    if os.path.isdir(place):
        return in_folder(place)
    check_folder(out)
    sweep = load(place)
    agent = holder(folder := out / sweep.name)
    searches, attributes = read(sweep, out, attended=agent is not None)
    return Outcome(sweep, searches, attributes, folder, agent=agent)


def find_begun(place: Path, out: Path) -> Outcome:
    """As :func:`find`; raises :class:`InputError` for a sweep of which nothing has been trained."""
    outcome = find(place, out)
    if not outcome.attributes:
        hint = lies_elsewhere(outcome.sweep.name, out)
        rule = f"the sweep must have begun below {out}" + (f"; {hint}" if hint else "")
        raise InputError("SPEC", outcome.sweep.name, rule, "run it first, or say with --out where it is")
    return outcome


def in_folder(folder: Path, name: str | None = None) -> Outcome:
    """The sweep that lies in ``folder``; nothing is made there. Raises :class:`InputError` when there is none."""
    path = folder / "sweep.db"
    if not os.path.isfile(path):
        raise no_sweep(folder)
    agent = holder(folder)
    with told_if_damaged(path), open_to_read(path) as reader:
        if not reader.sweeps():
            rule = "it must hold a sweep, and holds nothing"
            raise InputError(str(path), None, rule, "bring back a copy of it, or move it away and begin anew")
        found = recall(reader, name or _only_name(reader, folder), attended=agent is not None)
        return Outcome(*found, folder, agent=agent)


def in_storage(url: str, name: str) -> Outcome:
    """The sweep called ``name`` at the address ``url``, without folders. Raises :class:`InputError`."""
    from spadam.sweep.store.connection import open_address  # here, because servers are read through Optuna
    from spadam.sweep.store.studies import StorageReader

    with open_address(url) as storage:
        return Outcome(*recall(StorageReader(storage), name), None)


def _only_name(reader: Reader, folder: Path) -> str:
    """The name of the one sweep that is there, whatever its folder is called by now."""
    names = reader.sweeps()
    return names[0] if len(names) == 1 else folder.resolve().name
