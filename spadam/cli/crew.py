"""The options that say who trains a sweep: this machine, or a Ray cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from spadam.spec import InputError
from spadam.sweep.running.means import Keep

if TYPE_CHECKING:
    from spadam.sweep.running.means import Cluster

Crew = Annotated[
    Literal["local", "ray"],
    typer.Option(
        help="Who trains: worker processes of this machine, or a Ray cluster (spadam\\[cluster]), whose nodes may come "
        "and go; --workers then bounds how many train at a time."
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="With --crew ray: the cluster's head, or auto. Default: RAY_ADDRESS, else one is started on this machine.",
    ),
]
PerTrial = Annotated[
    str | None,
    typer.Option(
        metavar="cpus=1,gpus=0.25",
        help="With --crew ray: what one training has of its node; a fraction lets several share a GPU. "
        "Default: cpus=1.",
    ),
]
KeepHome = Annotated[
    Keep | None,
    typer.Option(
        "--keep",
        help="With --crew ray: what of a training's folder comes home. all (default), with W&B's offline files; "
        "weights: rows, result, configuration and model.safetensors; nothing: only rows, result and configuration.",
    ),
]
CheckpointHome = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="With --crew ray: checkpoints come home at most so often. Default: 60.",
        show_default=False,
    ),
]


AllowCustom = Annotated[
    bool,
    typer.Option(
        "--allow-custom",
        help="With --crew ray: let the nodes run the code that the file names (model or optimizer: custom).",
    ),
]


def cluster_of(
    crew: str,
    workers: int | None,
    address: str | None,
    per_trial: str | None,
    keep: Keep | None,
    checkpoint_home: float | None,
    allow_custom: bool,
) -> Cluster | None:
    """The cluster that the options name; None is this machine.

    Raises :class:`InputError` when they do not go together, or Ray is not installed.
    """
    from spadam.sweep.running.cluster.installed import check_installed
    from spadam.sweep.running.cluster.resources import Share, parse_share
    from spadam.sweep.running.means import Cluster

    given = {"--ray-address": address, "--per-trial": per_trial, "--keep": keep, "--checkpoint-home": checkpoint_home}
    given["--allow-custom"] = True if allow_custom else None
    if crew == "local":
        for argument, value in given.items():
            if value is not None:
                raise InputError(
                    argument, value, "it says something about a Ray cluster", "add --crew ray, or remove it"
                )
        return None
    check_installed()
    if workers == 0:
        rule = "with --crew ray it is how many may train at a time: at least 1"
        raise InputError("--workers", workers, rule, "leave it out, or use --crew local")
    if checkpoint_home is not None and not 0 <= checkpoint_home < float("inf"):
        raise InputError(
            "--checkpoint-home", checkpoint_home, "it must be a number of seconds, not below 0", "write 60"
        )
    share, default = Share() if per_trial is None else parse_share(per_trial), Cluster()
    return Cluster(
        address=address,
        cpus=share.cpus,
        gpus=share.gpus,
        keep=default.keep if keep is None else keep,
        checkpoint_home_seconds=default.checkpoint_home_seconds if checkpoint_home is None else checkpoint_home,
        allow_custom=allow_custom,
    )
