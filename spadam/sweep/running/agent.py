"""The agent: holds the lock of a sweep, creates it or goes on with it, and has it trained until the table."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from rich.console import Console

from spadam import kernels
from spadam.config import RunConfig
from spadam.files import hold
from spadam.spec import InputError
from spadam.sweep.definition.extension import check_extends, facts
from spadam.sweep.definition.reading import load
from spadam.sweep.definition.relative_axes import scale_key
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search, database, survey
from spadam.sweep.outcome.summary import summarise
from spadam.sweep.outcome.table import rows, write_csv
from spadam.sweep.running.crew import Alone, Crew
from spadam.sweep.running.dispatch import Dispatcher, WorkFailed
from spadam.sweep.running.local import Workers, default_workers, visible_devices, warm_up
from spadam.sweep.running.task import Train
from spadam.sweep.running.task import train as train_task
from spadam.sweep.store.connection import open_file
from spadam.sweep.store.studies import Studies
from spadam.terminal.sweep import View, show, watch
from spadam.tracking import TrackingSpec, settle
from spadam.training.gradient_scale import gradient_rms
from spadam.training.result import versions

WritePage = Callable[[Sweep, Sequence[Search], Mapping[str, Any], Path], Path]
"""Writes a page about a sweep into its folder; returns where it is. See :func:`spadam.report.write`."""

_CPU = torch.device("cpu")


def run_sweep(
    spec_path: Path,
    out: Path,
    variants: Sequence[str] | None = None,
    console: Console | None = None,
    *,
    progress: Console | None = None,
    workers: int | None = None,
    write_page: WritePage | None = None,
    train: Train = train_task,
) -> int:
    """Run the sweep in ``spec_path`` below the folder ``out``, or go on with it; returns the exit code.

    ``variants`` runs only those. ``workers`` is the number of worker processes, by default what suits the machine (see
    :func:`spadam.sweep.running.local.default_workers`); 0 trains in this process. No result depends on it. The table
    goes to ``console`` (standard output), what happens meanwhile to ``progress`` (standard error); at the end
    ``write_page`` makes the page. 0: everything planned is accepted; 1: a training failed again and again, or the sweep
    was interrupted. Raises :class:`InputError`, before anything is trained wherever that can be known.
    """
    console, progress = console or Console(), progress or Console(stderr=True)
    if workers != 0:
        warm_up()
    sweep = load(spec_path)
    chosen = choose(sweep, variants)
    with progress.status("reading the data"):
        data = hash_data(sweep, chosen)
        scales = measure_scales(sweep, chosen)
    folder = database(sweep, out).parent
    with (
        hold(folder),
        open_file(database(sweep, out)) as storage,
        watch(progress, sweep.spec.objective.metric) as view,
    ):
        studies = Studies(storage, sweep.name, sweep.spec.objective.direction)
        place = _open(sweep, studies, data, view)
        settlement = Settlement(sweep, place, view)
        if place == ("cpu", "compiled"):
            kernels.prepare(_CPU)  # once, and not by every worker at the same time
        if scales:
            studies.describe({"gradient_rms": {**scales, **studies.attributes().get("gradient_rms", {})}})
        crew = _crew(sweep, place.accelerator, workers, train)
        trouble = None
        try:
            Dispatcher(sweep, studies, folder, chosen, settlement, crew, view).work()
        except KeyboardInterrupt:
            trouble = "interrupted: the same command goes on from here"
        except WorkFailed as error:
            trouble = str(error)
        finally:
            searches, attributes = survey(sweep, studies), studies.attributes()
            write_csv(folder / "trials.csv", rows(sweep, searches))
    if trouble is not None:
        progress.print(trouble, markup=False, highlight=False, soft_wrap=True)
        return 1
    show(console, sweep, summarise(sweep, [search for search in searches if search.variant in chosen]))
    if write_page is not None:
        try:
            said = f"the page: {write_page(sweep, searches, attributes, folder)}"
        except OSError as error:
            said = f"the page could not be written ({error}); `spadam report {folder}` makes it"
        console.print(said, markup=False, highlight=False, soft_wrap=True)
    return 0


def _crew(sweep: Sweep, accelerator: str, workers: int | None, train: Train) -> Crew:
    """Who trains: so many worker processes as were asked for, or as the machine bears."""
    if workers == 0:
        return Alone(train)
    devices = visible_devices() if accelerator == "gpu" else []
    threads = max(config.trainer.threads for config in sweep.corners)
    return Workers(workers or default_workers(threads, len(devices)), train, devices)


class Place(NamedTuple):
    """Where trainings run that say `auto`: decided when a sweep begins, and the same for all of it."""

    accelerator: Literal["cpu", "gpu"]
    kernels: kernels.Wish
    """On a CPU; a GPU has no choice."""


class Settlement:
    """What is decided once for all trainings of a sweep: where those run that say `auto`, and who watches."""

    def __init__(self, sweep: Sweep, place: Place, view: View) -> None:
        self._place = place
        self._tracking: dict[TrackingSpec, TrackingSpec] = {}
        for config in sweep.corners:
            if config.tracking not in self._tracking:
                self._tracking[config.tracking], said = settle(config.tracking)
                if said:
                    view.note(said)

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

    Raises :class:`InputError` when data is missing or sizes do not fit it.
    """
    hashes = {}
    for name in variants:
        found = {config.data for config in sweep.variants[name].corners}
        hashes[name] = sorted({spec.load().content_hash() for spec in found})
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


def _open(sweep: Sweep, studies: Studies, data: dict[str, list[str]], view: View) -> Place:
    """Create the sweep in its storage, or make sure that this is the sweep that was; where its trainings run.

    Raises :class:`InputError` when the file has changed in what determines results, or the data has.
    """
    there = studies.attributes()
    if "plan" not in there:  # it is written last
        place = _resolve()
        plan: dict[str, Any] = {"facts": facts(sweep), **place._asdict()}
        studies.describe({"spec": sweep.document.data, "versions": _versions(), "data": data, "plan": plan})
        return place
    check_extends(sweep, there["plan"]["facts"])
    for name, hashes in data.items():
        if (before := there["data"].get(name, hashes)) != hashes:
            rule = f"variant {name} was begun with other data ({before[0][:8]}, now {hashes[0][:8]})"
            raise InputError("data", None, rule, "bring the data back, or begin another sweep with another `name`")
    if there["versions"] != (now := _versions()):
        changed = ", ".join(f"{name} {there['versions'].get(name)} -> {now[name]}" for name in now)
        view.note(f"this sweep was begun with other versions: {changed}")
    plan = {**there["plan"], "facts": facts(sweep)}
    studies.describe({"spec": sweep.document.data, "plan": plan, "data": {**there["data"], **data}})
    return Place(plan["accelerator"], plan["kernels"])


def _resolve() -> Place:
    """What `auto` means on this machine."""
    return Place("gpu" if torch.cuda.is_available() else "cpu", kernels.name(_CPU))


def _versions() -> dict[str, Any]:
    return {"python": platform.python_version(), **versions()}
