"""From what a person asks for to a crew on Ray."""

from __future__ import annotations

from collections.abc import Iterable

from spadam.config import RunConfig
from spadam.spec import InputError
from spadam.sweep.running.cluster.connection import connect
from spadam.sweep.running.cluster.crew import RayCrew
from spadam.sweep.running.cluster.gate import expected_versions
from spadam.sweep.running.cluster.resources import Share
from spadam.sweep.running.cluster.roll import Roll
from spadam.sweep.running.means import Cluster, Means
from spadam.sweep.running.task import Train


def open_crew(means: Means, configs: Iterable[RunConfig], train: Train) -> RayCrew:
    """A crew for trainings like ``configs``, as they are trained; it has joined its cluster.

    Raises :class:`InputError` when there is no such cluster, or what a training has of a node does not suffice.
    """
    cluster, configs = means.cluster or Cluster(), list(configs)
    share = Share(cluster.cpus, cluster.gpus)
    if not share.gpus and any(config.trainer.accelerator == "gpu" for config in configs):
        raise InputError("--per-trial", str(share), "this sweep trains on GPUs", "add a GPU, or a part of one: gpus=1")
    connection = connect(cluster.address)
    try:
        if connection.started:
            _check_room(share)
        compiled = any(config.trainer.kernels == "compiled" for config in configs)
        return RayCrew(connection, cluster, train, expected_versions(), means.workers, means.stall_seconds, compiled)
    except BaseException:
        connection.close()
        raise


def _check_room(share: Share) -> None:
    """Raise :class:`InputError` when this machine, the only one, has no room for a training."""
    roll = Roll()
    roll.close()
    (node,) = roll.last.nodes
    if not share.times_in(node.cpus, node.gpus):
        rule = (
            f"this machine has cpus={node.cpus:g},gpus={node.gpus:g}, and no other is in the cluster that starts here"
        )
        raise InputError("--per-trial", str(share), rule, "ask for less, or name a larger cluster with --ray-address")
