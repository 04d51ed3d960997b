"""The agent: holds the lock of a sweep, creates it or goes on with it, and has it trained to its end."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch

from spadam import kernels
from spadam.config import RunConfig
from spadam.data import DatasetSpec
from spadam.faults import reach
from spadam.files import FolderTaken, Hold, hold
from spadam.spec import InputError, at_home
from spadam.sweep.definition.columns import columns
from spadam.sweep.definition.extension import check_extends, facts
from spadam.sweep.definition.measurable import Available, check_data
from spadam.sweep.definition.reading import load
from spadam.sweep.definition.relative_axes import scale_key
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.damage import told_if_damaged
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.progress import survey
from spadam.sweep.outcome.table import CSV, write_csv
from spadam.sweep.outcome.verdicts import CLAIMS, looked_at, remembered
from spadam.sweep.running.cluster.installed import check_installed
from spadam.sweep.running.cluster.trust import check_trusted
from spadam.sweep.running.crew import Alone, Crew
from spadam.sweep.running.dispatch import Dispatcher, Upkeep
from spadam.sweep.running.failures import WorkFailed
from spadam.sweep.running.local import Workers, default_workers, visible_devices, warm_up
from spadam.sweep.running.means import Means
from spadam.sweep.running.task import Train
from spadam.sweep.running.task import train as train_task
from spadam.sweep.running.watcher import Quiet, Watcher
from spadam.sweep.store.home import FILE, open_studies, server_of
from spadam.sweep.store.patience import Patience
from spadam.sweep.store.studies import Studies
from spadam.sweep.store.trouble import taken
from spadam.tracking import TrackingSpec, settle
from spadam.training.gradient_scale import gradient_rms
from spadam.training.home import cache
from spadam.training.interruption import Interruption
from spadam.training.progress import COMPILING
from spadam.training.result import versions

if TYPE_CHECKING:
    from spadam.sweep.running.cluster.opening import Hire

_CPU = torch.device("cpu")


def run_sweep(
    spec: str | os.PathLike[str],
    out: str | os.PathLike[str] = "runs",
    variants: Sequence[str] | None = None,
    *,
    means: Means | None = None,
    watcher: Watcher | None = None,
    train: Train = train_task,
) -> Outcome:
    """Run the sweep in the file ``spec`` below the folder ``out``, or go on with it; writes trials.csv there.

    ``variants`` runs only those. ``means`` says who trains, and where the storage lies: by default as many worker
    processes as suit the machine (see :func:`spadam.sweep.running.local.default_workers`), and a file beside the runs.
    No result depends on it. ``watcher`` hears what happens meanwhile. When a training fails again and again the outcome
    holds its ``trouble``.

    Raises :class:`InputError`, before anything is trained wherever that can be known; KeyboardInterrupt when it is
    interrupted, OSError when its storage cannot be written, and :class:`~spadam.sweep.store.trouble.StorageTrouble`
    when another agent works on it, or a server has gone: then too trials.csv is written, where that can be done, and
    the same call goes on.
    """
    watcher = watcher or Quiet()
    with cache() as said:
        if said:
            watcher.note(said)
        return _run_sweep(at_home(spec, "spec"), at_home(out, "out"), variants, means or Means(), watcher, train)


def _run_sweep(
    spec: Path, out: Path, variants: Sequence[str] | None, means: Means, watcher: Watcher, train: Train
) -> Outcome:
    sweep = load(spec)
    if means.cluster is not None:
        check_installed()
        check_trusted(sweep.corners, means.cluster)
    elif means.workers != 0:
        warm_up()  # it imports for seconds, while this process reads the data
    chosen = choose(sweep, variants)
    folder, directions = out / sweep.name, tuple(sweep.spec.objective.goals.values())
    server = server_of(folder, means.storage)
    data = hash_data(sweep, chosen)
    scales = measure_scales(sweep, chosen)
    patience = Patience(means.patience_seconds, watcher.note)
    reading = contextlib.nullcontext if server is not None else partial(told_if_damaged, folder / FILE)
    with (
        Interruption() as interruption,
        _hold(folder) as held,
        _cluster(means) as hire,
        open_studies(folder, sweep.name, directions, server, patience) as studies,
    ):
        with reading():
            place = _open(sweep, studies, data, means, watcher)
        trouble = None
        try:
            settlement = Settlement(sweep, place, watcher)
            if place == ("cpu", "compiled"):
                if not kernels.is_prepared(_CPU):
                    watcher.note(COMPILING)
                kernels.prepare(_CPU)  # once, and not by every worker at the same time
            if scales:
                studies.describe({"gradient_rms": {**scales, **studies.attributes().get("gradient_rms", {})}})
            crew = (
                hire(map(settlement, sweep.corners), train)
                if hire is not None
                else _crew(sweep, place.accelerator, means, train)
            )
            watcher.open(" and ".join(sweep.spec.objective.metrics), crew.size)
            upkeep = Upkeep(interruption, patience, held.beat, means.retries)
            with reading():
                dispatcher = Dispatcher(sweep, studies, folder, chosen, settlement, crew, watcher, upkeep)
            dispatcher.work()
        except WorkFailed as error:
            trouble = str(error)
        finally:
            interruption.wind_down()
            if not patience.over:
                with reading():
                    outcome = _outcome(sweep, studies, folder, trouble)
                reach("agent: before the table")
                write_csv(folder / CSV, outcome.rows, columns(sweep))
    return outcome


def _outcome(sweep: Sweep, studies: Studies, folder: Path, trouble: str | None) -> Outcome:
    """What came of it; from now on its claims have been looked at."""
    searches = survey(sweep, studies)
    if sweep.spec.claims:
        studies.describe({CLAIMS: looked_at(sweep, searches, studies.attributes())})
    return Outcome(sweep, searches, studies.attributes(), folder, trouble)


@contextlib.contextmanager
def _hold(folder: Path) -> Iterator[Hold]:
    """The lock of a sweep's folder. Raises :class:`SweepTaken` when another agent has it."""
    try:
        with hold(folder) as held:
            yield held
    except FolderTaken as error:
        raise taken(f"in {folder}", error.by) from None


@contextlib.contextmanager
def _cluster(means: Means) -> Iterator[Hire | None]:
    """What makes a crew on a cluster, to which this process is connected for the block; None without one."""
    if means.cluster is None:
        yield None
        return
    from spadam.sweep.running.cluster.opening import hiring  # here, because Ray takes a second to import

    with hiring(means) as hire:
        yield hire


def _crew(sweep: Sweep, accelerator: str, means: Means, train: Train) -> Crew:
    """Who trains on this machine: so many worker processes as were asked for, or as it bears."""
    if means.workers == 0:
        return Alone(train)
    devices = visible_devices() if accelerator == "gpu" else []
    threads = max(config.trainer.threads for config in sweep.corners)
    size = means.workers or default_workers(threads, len(devices))
    return Workers(size, train, devices, means.stall_seconds)


class Place(NamedTuple):
    """Where trainings run that say `auto`: decided when a sweep begins, and the same for all of it."""

    accelerator: Literal["cpu", "gpu"]
    kernels: kernels.Choice
    """On a CPU; a GPU has no choice."""


class Settlement:
    """What is decided once for all trainings of a sweep: where those run that say `auto`, and who watches."""

    def __init__(self, sweep: Sweep, place: Place, watcher: Watcher) -> None:
        self._place = place
        self._tracking: dict[TrackingSpec, TrackingSpec] = {}
        for config in sweep.corners:
            if config.tracking not in self._tracking:
                self._tracking[config.tracking], said = settle(config.tracking)
                if said:
                    watcher.note(said)

    def __call__(self, config: RunConfig) -> RunConfig:
        """``config`` as it is trained here."""
        trainer, tracking = config.trainer, self._tracking[config.tracking]
        if trainer.accelerator == "auto":
            trainer = trainer.model_copy(update={"accelerator": self._place.accelerator})
        if trainer.accelerator == "cpu" and trainer.kernels == "auto":
            trainer = trainer.model_copy(update={"kernels": self._place.kernels})
        return config.model_copy(update={"trainer": trainer, "tracking": tracking})


def hash_data(sweep: Sweep, variants: Iterable[str]) -> dict[str, list[str]]:
    """Load whatever data ``variants`` may be trained on; its hashes by variant.

    Raises :class:`InputError` when data is missing or sizes do not fit it, or the objective needs more than there is.
    """
    hashes, known = {}, dict[DatasetSpec, Available]()
    for name in variants:
        found = set()
        for spec in {config.data for config in sweep.variants[name].corners}:
            dataset = spec.load()
            found.add(dataset.content_hash())
            known[spec] = Available.of(dataset)
        hashes[name] = sorted(found)
    check_data(sweep, known)
    return hashes


def measure_scales(sweep: Sweep, variants: Iterable[str]) -> dict[str, float]:
    """The scales that parameters of ``variants`` are relative to, by key, at the ends of every range.

    Raises :class:`InputError` when a gradient gives none.
    """
    scales: dict[str, float] = {}
    for variant in (sweep.variants[name] for name in variants):
        for config in variant.corners if variant.needs_scale else ():
            if (key := scale_key(config)) not in scales:
                scales[key] = gradient_rms(config)
    return scales


def choose(sweep: Sweep, variants: Sequence[str] | None) -> list[str]:
    """The names in ``variants`` in the order of the file; all when there are none."""
    for name in variants or ():
        if name not in sweep.variants:
            known = ", ".join(sweep.variants)
            raise InputError("--variants", name, "the sweep has no such variant", f"choose from: {known}")
    return [name for name in sweep.variants if variants is None or name in variants]


def _open(sweep: Sweep, studies: Studies, data: dict[str, list[str]], means: Means, watcher: Watcher) -> Place:
    """Create the sweep in its storage, or make sure that this is the sweep that was; where its trainings run.

    Raises :class:`InputError` when the file has changed in what determines results, or the data has.
    """
    there = studies.attributes()
    claims = _new_claims(sweep, studies, there)  # before there are results, where they were there in time
    if "plan" not in there:  # it is written last
        place = _resolve(means)
        plan: dict[str, Any] = {"facts": facts(sweep), **place._asdict()}
        studies.describe({"spec": sweep.document.data, "versions": _versions(), "data": data, **claims, "plan": plan})
        return place
    check_extends(sweep, there["plan"]["facts"])
    for name, hashes in data.items():
        if (before := there["data"].get(name, hashes)) != hashes:
            rule = f"variant {name} was begun with other data ({before[0][:8]}, now {hashes[0][:8]})"
            raise InputError("data", None, rule, "bring the data back, or begin another sweep with another `name`")
    if there["versions"] != (now := _versions()):
        changed = ", ".join(f"{name} {there['versions'].get(name)} -> {now[name]}" for name in now)
        watcher.note(f"this sweep was begun with other versions: {changed}")
    plan = {**there["plan"], "facts": facts(sweep)}
    studies.describe({"spec": sweep.document.data, "plan": plan, "data": {**there["data"], **data}, **claims})
    return Place(plan["accelerator"], plan["kernels"])


def _new_claims(sweep: Sweep, studies: Studies, there: Mapping[str, Any]) -> dict[str, Any]:
    """What to store of the claims, if some are not known yet: only then the storage is read for it."""
    known = there.get(CLAIMS, {})
    if all(claim.key in known for claim in sweep.spec.claims):
        return {}
    found = remembered(sweep, survey(sweep, studies) if "plan" in there else (), there)
    return {CLAIMS: {**known, **{key: each.plain() for key, each in found.items()}}}


def _resolve(means: Means) -> Place:
    """What `auto` means: on a GPU where this machine has one, or where trainings have of their nodes in a cluster."""
    on_gpu = means.cluster.gpus > 0 if means.cluster is not None else torch.cuda.is_available()
    return Place("gpu" if on_gpu else "cpu", kernels.name(_CPU))


def _versions() -> dict[str, Any]:
    return {"python": platform.python_version(), **versions()}
