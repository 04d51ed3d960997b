"""An outcome: a sweep, how far it is, and what its trainings gave; read at any time, also while the sweep runs."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from spadam.claims.comparison import Comparison
from spadam.claims.verdict import Verdict
from spadam.config import RunConfig
from spadam.files import Holder, last_sign
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search, value_of
from spadam.sweep.outcome.responsiveness import Responses, responses
from spadam.sweep.outcome.setting import Setting
from spadam.sweep.outcome.status import status
from spadam.sweep.outcome.summary import OfStudy, StudySummary, summarise
from spadam.sweep.outcome.table import best_config, rows
from spadam.sweep.outcome.verdicts import comparisons, verdicts
from spadam.sweep.search.front import Standing, front
from spadam.sweep.search.objective import Judge, judge
from spadam.sweep.store.attempts import Record
from spadam.text import short
from spadam.training.result import RunResult

log = logging.getLogger(__name__)


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
        With `objective.at` also `outside`, how far it lies outside the bands: then `value` is None unless that is 0.
        With `objective.pareto` also `front`, whether it is on the front of its study; `value` is None.
        """
        return self._phase("search")

    def choosings(self) -> list[dict[str, Any]]:
        """The choosing trainings of every study (`repeat.choose`), one mapping each, with the keys of :meth:`trials`.

        `status` may be superseded too: then its parameters were among the best before the search was extended.
        """
        return self._phase("choose")

    def repeats(self) -> list[dict[str, Any]]:
        """The repeats of the best of every study, one mapping each, with the keys of :meth:`trials`.

        `status` may be superseded too: then it repeats what was the best before the search was extended.
        """
        return self._phase("repeat")

    def best(self, variant: str) -> RunConfig:
        """The configuration of the best trial of ``variant``, to be trained with :func:`spadam.run`.

        Where settings are chosen (`repeat.choose`) it is the chosen one. Of several studies it is the one with the best
        value, or with the best mean of those that were chosen. ``variant`` may name one of its trials, whatever that
        has: "adam/search-7". Where no trial lies within the bands of the objective it is the nearest, and that is
        logged. Raises :class:`InputError` when there is none, and where several metrics are compared: a front has no
        best, and the error says which of its trials one may ask for; :meth:`front` has them all.
        """
        config = best_config(self.sweep, self.searches, variant)
        first = next((search.leader for search in self.best_first(variant)), None)
        if first is not None and (beyond := self.judge.outside(first.metrics)):
            log.warning("no trial of %s lies within its bands: the nearest has %s", variant, " and ".join(beyond))
        return config

    def front(self, variant: str) -> list[dict[str, Any]]:
        """The trials of ``variant`` that none of its others beats, by the first metric that is compared.

        They are as :meth:`trials` has them; of an objective of one metric it is the best alone.
        """
        rows = {(row["study"], row["slot"]): row for row in self.trials() if row["variant"] == variant}
        return [rows[record.slot.study, record.slot.number] for record in self.front_of(variant)]

    def verdicts(self) -> dict[str, Any]:
        """What the sweep says to its claims, and how far its variants lie apart: what verdicts.json holds.

        `claims`: a list with, for each, `says`, `variants`, `metric`, `kind`, `about`, `margin`, `bound`; `verdict`
        (supported, refuted, inconclusive, identical, same_by_construction) and `holds` (whether the claim is true; None
        where that is not known); `effect` (the mean difference, first minus second, of errors that of their logarithms;
        of one variant its mean), `interval` and its `level`; `p` and the `alpha` that it was held against; `n` units;
        `looks`, `post_hoc`, `needed` (units that would settle it), `reason`, `caveats`, and `diverged` by
        variant.
        `comparisons`: a list of `variants`, `metric`, `study` (None: all of them), `ratio` (whether the effect is of
        logarithms), `effect`, `interval`, `level`, `n`, `same` (why they are the same, if they are).
        `responsiveness`, only of a design (a grid, several studies): a list with, for each variant, `metric`, `seeds`,
        `diverged`; `best` and `default`, each a value for every axis; `variance`, the terms of ln metric (`name`,
        `squares`, `freedom`, `share`, `f`, `p`); `seed_deviation`; `slope_at_best`, `slope_at_default` (d ln metric /
        d log10 lr, `half` of its 95 % interval); `width` (decades within 5 % of the best); `lr_sensitivity`, and
        `lr_sensitivity_common` over the lr that all variants have; `knobs`, what each axis does over two decades. What
        cannot be said is None.
        """
        found = {
            "claims": [verdict.as_json() for verdict in self.answers],
            "comparisons": [comparison.as_json() for comparison in self.comparisons],
        }
        designs = [response.as_json() for response in self.responses.found]
        return found | ({"responsiveness": designs} if designs else {})

    def status(self) -> dict[str, Any]:
        """How far the sweep is, as `spadam sweep status --json` prints it.

        `sweep`, `done`, `agent`, `variants`; and, as the agent told it last, `running`, `failures`, `seconds_left`; see
        :func:`spadam.sweep.outcome.status.status`.
        """
        return copy.deepcopy(self._status)

    @property
    def done(self) -> bool:
        """Whether everything that the sweep plans is accepted."""
        return bool(self._status["done"])

    @property
    def left_since(self) -> datetime | None:
        """When whoever was last at work on it was last heard of; None when it is done, or somebody is at work."""
        return None if self.done or self.agent or self.folder is None else last_sign(self.folder)

    @cached_property
    def judge(self) -> Judge:
        """Who ranks its trials."""
        return judge(self.sweep.spec.objective)

    @property
    def metric(self) -> str:
        """The objective; of several metrics the first."""
        return self.sweep.spec.objective.metrics[0]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that are compared."""
        return self.sweep.spec.objective.metrics

    @property
    def is_front(self) -> bool:
        """Whether several metrics are compared."""
        return self.sweep.spec.objective.is_front

    @property
    def minimize(self) -> bool:
        """Whether small values of the objective are good."""
        return self.is_small_better(self.metric)

    def is_small_better(self, metric: str) -> bool:
        """Whether small values of a metric are good; of those that are not compared they are."""
        return self.sweep.spec.objective.goals.get(metric, "minimize") == "minimize"

    @property
    def aim(self) -> str:
        """What is sought, in words."""
        said = [f"{name} ({'lower' if self.is_small_better(name) else 'higher'} is better)" for name in self.metrics]
        aim = f"the front of {' and '.join(said)}" if self.is_front else f"{self.metric}, {self.better}"
        bands = [f"{name} {low:g} to {high:g}" for name, low, high in self.judge.bands]
        return f"{aim}, at {' and '.join(bands)}" if bands else aim

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """A row for every slot; see :func:`spadam.sweep.outcome.table.rows`."""
        return rows(self.sweep, self.searches)

    @cached_property
    def summaries(self) -> list[StudySummary]:
        """A summary of every study, in the order of the file and of ``searches``, or of every trial on its front."""
        return summarise(self.sweep, self.searches)

    @cached_property
    def answers(self) -> list[Verdict]:
        """The verdicts on its claims, in the order of the file."""
        return verdicts(self.sweep, self.searches, self.attributes)

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """How far every variant lies from the one that it is held against."""
        return list(comparisons(self.sweep, self.searches))

    @cached_property
    def responses(self) -> Responses:
        """How the objective answers to lr and the other axes, where the sweep is a design."""
        return responses(self.sweep, self.searches)

    @cached_property
    def results(self) -> list[RunResult]:
        """What every accepted training gave."""
        found = [r.result for s in self.searches for r in (*s.records, *s.superseded)]
        return [result for result in found if result is not None]

    @property
    def better(self) -> str:
        """Which way the objective is to be read."""
        return f"{'lower' if self.minimize else 'higher'} is better"

    @property
    def none_yet(self) -> str:
        """What to say where no trial has a value."""
        where = " and lies within its bands" if self.judge.bands else ""
        return f"No trial has a finite {self.metric}{where} yet."

    @property
    def valueless(self) -> str:
        """Why trials that have ended may have no value, in words."""
        return "diverged, stopped, or outside its bands" if self.judge.bands else "diverged, or stopped"

    @property
    def axes(self) -> list[str]:
        """Every key that some variant searches."""
        return self.sweep.axes

    def short(self, key: str) -> str:
        """The last part of a searched ``key`` where that says which one it is."""
        return short(key, self.axes)

    def name(self, study: OfStudy) -> str:
        """What a study is called: its variant, and its number where there are several."""
        return study.variant + (f" (study {study.study})" if self.sweep.spec.search.studies > 1 else "")

    def number_of(self, variant: str) -> int:
        """The place of ``variant`` in the file: its colour and its marker follow from it."""
        return list(self.sweep.variants).index(variant)

    def of_variant(self, variant: str) -> list[Search]:
        """The studies of ``variant``."""
        return [search for search in self.searches if search.variant == variant]

    @cached_property
    def settings(self) -> list[Setting]:
        """What is compared, in the order of the file: the best of every study, or what is repeated of its front."""
        found = []
        for search in self.searches:
            name = self.name(search)
            found += [
                Setting(search, record, search.repeats_of(record), f"{name}, {record.slot.label}")
                for record in search.points.values()
            ] or [Setting(search, search.best, search.repeats, name)]
        return found

    def front_of(self, variant: str) -> list[Record]:
        """The front of all studies of ``variant`` together; see :meth:`front`."""
        if not self.is_front:
            return [search.best for search in self.best_first(variant)[:1] if search.best is not None]
        mine = [record for search in self.of_variant(variant) for record in search.front]
        costs = [self.judge.costs(record.metrics) for record in mine]
        standings = [Standing(found, number) for number, found in enumerate(costs) if found is not None]
        return [mine[standing.number] for standing in front(standings, lambda _: True)]

    def best_first(self, variant: str) -> list[Search]:
        """The studies of ``variant`` that have a best trial, that with the best one first; fronts in their order.

        Where settings are chosen, that is the one whose mean over its choosing trainings is best.
        """
        found = [
            (costs, search) for search in self.of_variant(variant) if (costs := search.standing(self.judge)) is not None
        ]
        return [search for _, search in (found if self.is_front else sorted(found, key=lambda pair: pair[0]))]

    def value(self, record: Record, metric: str | None = None) -> float | None:
        """A metric of an accepted and complete training; None where it has none.

        By default it is the objective, which a training outside the bands has not.
        """
        if metric is None and self.outside(record):
            return None
        return value_of(record, metric or self.metric)

    def outside(self, record: Record) -> str:
        """Why a complete training does not count, in words: what of it lies outside the bands; empty where it does."""
        beyond = self.judge.outside(record.metrics) if record.status == "complete" else []
        return f"outside its bands: {', '.join(beyond)}" if beyond else ""

    @cached_property
    def _status(self) -> dict[str, Any]:
        return status(self.sweep, self.searches, self.attributes, self.agent)

    def _phase(self, phase: str) -> list[dict[str, Any]]:
        return copy.deepcopy([row for row in self.rows if row["phase"] == phase])
