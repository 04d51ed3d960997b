"""From what a person asks for to a crew on Ray."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

from spadam.config import RunConfig
from spadam.spec import InputError
from spadam.sweep.running.cluster.connection import connected
from spadam.sweep.running.cluster.crew import RayCrew
from spadam.sweep.running.cluster.gate import expected_versions
from spadam.sweep.running.cluster.resources import Share
from spadam.sweep.running.cluster.roll import Roll
from spadam.sweep.running.means import Cluster, Means
from spadam.sweep.running.task import Train
from spadam.tracking import credentials

Hire = Callable[[Iterable[RunConfig], Train], RayCrew]


@contextlib.contextmanager
def hiring(means: Means) -> Iterator[Hire]:
    """What makes a crew for trainings of given configurations, as they are trained, on the cluster of ``means``.

    This process is connected to the cluster for the block. Raises :class:`InputError` when there is none, or what a
    training has of a node does not suffice.
    """
    cluster = means.cluster or Cluster()
    share = Share(cluster.cpus, cluster.gpus)

    def hire(configs: Iterable[RunConfig], train: Train) -> RayCrew:
        configs = list(configs)
        if not share.gpus and any(config.trainer.accelerator == "gpu" for config in configs):
            rule = "this sweep trains on GPUs"
            raise InputError("--per-trial", str(share), rule, "add a GPU, or a part of one: gpus=1")
        compiled = any(config.trainer.kernels == "compiled" for config in configs)
        streamed = any(config.tracking.mode == "online" for config in configs)
        return RayCrew(
            connection,
            cluster,
            train,
            expected_versions(),
            means.workers,
            means.stall_seconds,
            compiled,
            credentials() if streamed else None,
        )

    with connected(cluster.address) as connection:
        if connection.started:
            _check_room(share)
        yield hire


def _check_room(share: Share) -> None:
    """Raise :class:`InputError` when this machine, the only one, has no room for a training."""
    roll = Roll()
    roll.close()
    (node,) = roll.last.nodes
    if not share.times_in(node.cpus, node.gpus):
        has = Share(node.cpus, node.gpus)
        rule = f"this machine has {has}, and no other is in the cluster that starts here"
        raise InputError("--per-trial", str(share), rule, "ask for less, or name a larger cluster with --ray-address")
