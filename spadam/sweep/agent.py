"""The agent: holds the lock of a sweep, creates it or goes on with it, and lets its worker work until the table."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from spadam.lock import hold
from spadam.result import versions
from spadam.spec import InputError
from spadam.sweep import training
from spadam.sweep.corners import configurations
from spadam.sweep.extension import check_extends, facts
from spadam.sweep.reading import load
from spadam.sweep.results import rows, write_csv
from spadam.sweep.spec import Sweep
from spadam.sweep.standing import database, survey
from spadam.sweep.storage import open_file
from spadam.sweep.study import Studies
from spadam.sweep.summary import summarise
from spadam.sweep.training import Train
from spadam.sweep.view import View, show, watch
from spadam.sweep.worker import Worker, WorkFailed


def run_sweep(
    spec_path: Path,
    out: Path,
    variants: Sequence[str] | None = None,
    console: Console | None = None,
    *,
    progress: Console | None = None,
    train: Train = training.train,
) -> int:
    """Run the sweep in ``spec_path`` below the folder ``out``, or go on with it; returns the exit code.

    ``variants`` runs only those. The table goes to ``console`` (standard output), what happens meanwhile to
    ``progress`` (standard error). 0: everything planned is accepted; 1: a training failed again and again, or the sweep
    was interrupted. Raises :class:`InputError`, before anything is trained wherever that can be known.
    """
    console, progress = console or Console(), progress or Console(stderr=True)
    sweep = load(spec_path)
    chosen = _choose(sweep, variants)
    data = hash_data(sweep, chosen)
    folder = database(sweep, out).parent
    with (
        hold(folder),
        open_file(database(sweep, out)) as storage,
        watch(progress, sweep.spec.objective.metric) as view,
    ):
        studies = Studies(storage, sweep.name, sweep.spec.objective.direction)
        accelerator = _open(sweep, studies, data, view)
        trouble = None
        try:
            Worker(sweep, studies, folder, accelerator, chosen, train, view).work()
        except KeyboardInterrupt:
            trouble = "interrupted: the same command goes on from here"
        except WorkFailed as error:
            trouble = str(error)
        finally:
            searches = survey(sweep, studies)
            write_csv(folder / "trials.csv", rows(sweep, searches))
    if trouble is not None:
        progress.print(trouble, markup=False, highlight=False, soft_wrap=True)
        return 1
    show(console, sweep, summarise(sweep, [search for search in searches if search.variant in chosen]))
    return 0


def hash_data(sweep: Sweep, variants: Iterable[str]) -> dict[str, list[str]]:
    """Load whatever data ``variants`` may be trained on; its hashes by variant.

    Raises :class:`InputError` when data is missing or sizes do not fit it.
    """
    hashes = {}
    for name in variants:
        variant = sweep.variants[name]
        found = {config.data for config in configurations(variant.document, variant.axes)}
        hashes[name] = sorted({spec.load().content_hash() for spec in found})
    return hashes


def _choose(sweep: Sweep, variants: Sequence[str] | None) -> list[str]:
    """The names in ``variants`` in the order of the file; all when there are none."""
    for name in variants or ():
        if name not in sweep.variants:
            known = ", ".join(sweep.variants)
            raise InputError("--variants", name, "the sweep has no such variant", f"choose from: {known}")
    return [name for name in sweep.variants if variants is None or name in variants]


def _open(sweep: Sweep, studies: Studies, data: dict[str, list[str]], view: View) -> str:
    """Create the sweep in its storage, or make sure that this is the sweep that was; where its trainings run.

    Raises :class:`InputError` when the file has changed in what determines results, or the data has.
    """
    there = studies.attributes()
    if "plan" not in there:  # it is written last
        plan = {"facts": facts(sweep), **_resolve()}
        studies.describe({"spec": sweep.document.data, "versions": _versions(), "data": data, "plan": plan})
        return str(plan["accelerator"])
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
    return str(plan["accelerator"])


def _resolve() -> dict[str, str]:
    """What `auto` means on this machine: decided once, and the same for every training of the sweep."""
    import torch

    from spadam import kernels

    accelerator = "gpu" if torch.cuda.is_available() else "cpu"
    device = torch.device("cuda" if accelerator == "gpu" else "cpu")
    return {"accelerator": accelerator, "kernels": kernels.name(device)}


def _versions() -> dict[str, Any]:
    return {"python": platform.python_version(), **versions()}
