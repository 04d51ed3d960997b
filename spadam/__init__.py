"""spadam: how Adam and its sparse variants behave when only some rows of a model get a gradient in a step.

>>> import spadam
>>> config = {"data": {"name": "digits"}, "model": {"latents": 64}, "optimizer": {"name": "lazy_adam"}}
>>> result = spadam.run(config)  # doctest: +SKIP

Whatever is wrong with what is given is told as a :class:`spadam.spec.InputError`. Importing the package imports nothing
else: names are fetched when they are asked for.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from spadam import optim
    from spadam.config import RunConfig
    from spadam.models.autoencoder import SparseAutoencoder
    from spadam.sweep.outcome.outcome import Outcome
    from spadam.sweep.running.means import Cluster
    from spadam.sweep.running.watcher import Watcher
    from spadam.training.module import AutoencoderModule
    from spadam.training.progress import Progress
    from spadam.training.result import RunResult

__version__ = "0.1.0"

__all__ = [
    "AutoencoderModule",
    "Cluster",
    "RunConfig",
    "RunResult",
    "SparseAutoencoder",
    "__version__",
    "export",
    "load",
    "optim",
    "run",
    "run_sweep",
]

_HOMES = {
    "AutoencoderModule": "spadam.training.module",
    "Cluster": "spadam.sweep.running.means",
    "RunConfig": "spadam.config",
    "RunResult": "spadam.training.result",
    "SparseAutoencoder": "spadam.models.autoencoder",
}
"""Where the classes are defined."""


def run(
    config: RunConfig | Mapping[str, Any] | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    progress: Callable[[Progress], None] | None = None,
) -> RunResult:
    """Train one model: as a configuration says, or a mapping with its keys, or the YAML file at a path.

    With a folder ``out`` it does what `spadam train` does: result.json, metrics.jsonl, model.safetensors and
    config.yaml are written there, a run that was interrupted goes on, and one that is finished is read and returned.
    Without one nothing is written. ``progress`` is called about twice a second. The same configuration gives the same
    bits. A training that diverged is a result, with that status.

    Raises :class:`spadam.spec.InputError` before anything is trained when the configuration, data, folder or device do
    not serve, and KeyboardInterrupt when it is interrupted; with a folder the same call then goes on.
    """
    import logging

    from spadam.config import RunConfig
    from spadam.spec import RUN, Document, at_home, check_kind, validate
    from spadam.spec import load as load_document
    from spadam.tracking import settle
    from spadam.training.result import read_result
    from spadam.training.run import run

    if isinstance(config, str | os.PathLike):
        document = load_document(at_home(config, "config"))
        check_kind(document, RUN)
        config = validate(RunConfig, document)
    elif not isinstance(config, RunConfig):
        config = validate(RunConfig, Document(dict(config), {}, "config"))
    if out is None:
        return run(config, progress=progress)
    folder = at_home(out, "out")
    if (finished := read_result(config, folder)) is not None:
        return finished
    tracking, said = settle(config.tracking)
    if said:
        logging.getLogger(__name__).warning(said)
    return run(config.model_copy(update={"tracking": tracking}), folder, progress=progress)


def run_sweep(
    spec: str | os.PathLike[str],
    out: str | os.PathLike[str] = "runs",
    variants: Sequence[str] | None = None,
    *,
    workers: int | None = None,
    crew: Cluster | Literal["local", "ray"] = "local",
    storage: str | None = None,
    storage_patience: float = 600.0,
    retries: int = 3,
    stall: float = 1800.0,
    watcher: Watcher | None = None,
) -> Outcome:
    """Run the sweep in the YAML file ``spec`` below the folder ``out``, or go on with it, as `spadam sweep run` does.

    ``variants`` runs only those. ``workers`` is the number of worker processes, by default one a GPU, else one a core,
    at most 4; 0 trains in this process. ``crew`` is `ray`, or a :class:`Cluster` that says more, to train on the nodes
    of a Ray cluster. ``storage`` is the address of a PostgreSQL server that keeps the sweep, by default SPADAM_STORAGE,
    else a file beside the runs; it may be away for ``storage_patience`` seconds. A training whose worker dies, or whose
    disk fails, is begun again ``retries`` times, and a worker not heard of for ``stall`` seconds is replaced. No result
    depends on any of it. ``watcher`` hears of every training while it runs; by default what a person should know is
    logged. At the end trials.csv, verdicts.json and report.html stand in the sweep's folder.

    The outcome's ``trouble`` says why, when a training failed again and again and the sweep was given up; then no page
    is written, and the same call goes on. Raises :class:`spadam.spec.InputError`, before anything is trained wherever
    that can be known, :class:`spadam.sweep.store.trouble.StorageTrouble` when another agent works on the sweep or the
    server stays away, and KeyboardInterrupt when it is interrupted; the same call then goes on.
    """
    import logging

    from spadam.report import write
    from spadam.sweep.running.agent import run_sweep
    from spadam.sweep.running.means import Cluster, Means

    cluster = Cluster() if crew == "ray" else None if crew == "local" else crew
    means = Means(workers, cluster, storage, storage_patience, stall, retries)
    outcome = run_sweep(spec, out, variants, means=means, watcher=watcher)
    if outcome.trouble is None:
        try:
            write(outcome)
        except OSError as error:
            logging.getLogger(__name__).warning("the page of the sweep could not be written (%s)", error)
    return outcome


def load(folder: str | os.PathLike[str], storage: str | None = None) -> Outcome:
    """What is known of the sweep in ``folder``, such as ``runs/quickstart``; also while it runs, at any time.

    With the address of a server's ``storage`` the folder need not be there: its name is that of the sweep. Nothing is
    locked or changed, and nothing is looked up again: load it anew to see what has come since. Raises
    :class:`spadam.spec.InputError` when no sweep is there.
    """
    from spadam.spec import at_home
    from spadam.sweep.outcome.finding import in_folder, in_storage

    place = at_home(folder, "folder")
    return in_storage(storage, place.name) if storage and not place.exists() else in_folder(place, storage=storage)


def export(
    folder: str | os.PathLike[str], to: Literal["saelens"] = "saelens", out: str | os.PathLike[str] | None = None
) -> Path:
    """Write the autoencoder that was trained in ``folder`` for another library, as `spadam export` does.

    ``folder`` is what :func:`run` had as ``out``, or that of a sweep's slot or attempt; ``to`` is the library. Returns
    the folder that was written, ``out`` or one called ``to`` within the training's. What is there already, and the
    same, is left as it is. Raises :class:`spadam.spec.InputError`, with nothing written, when no training has ended
    there, the library cannot compute its evaluation code, or ``out`` holds another.
    """
    from spadam.formats import Format
    from spadam.formats.export import export
    from spadam.spec import InputError, at_home

    if to not in list(Format):
        known = ", ".join(Format)
        raise InputError("to", to, f"it must be one of {known}", "choose one of these")
    return export(at_home(folder, "folder"), Format(to), None if out is None else at_home(out, "out"))


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        found = getattr(importlib.import_module(_HOMES[name]), name)
    elif name == "optim":
        found = importlib.import_module("spadam.optim")
    else:
        raise AttributeError(f"module 'spadam' has no attribute {name!r}")
    globals()[name] = found  # the next time it is there
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
