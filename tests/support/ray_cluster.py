"""Ray clusters for tests: several nodes on this machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from support.paths import ROOT, SUPPORT


@contextmanager
def ray_cluster(cpus: int = 1) -> Iterator[Any]:
    """A head with room for so many trainings; nodes may be added."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), str(SUPPORT))))  # workers inherit it from their node
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        started = Cluster(initialize_head=True, head_node_args={"num_cpus": cpus, "include_dashboard": False})
    try:
        yield started
    finally:
        started.shutdown()
