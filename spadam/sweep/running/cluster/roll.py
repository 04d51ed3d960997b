"""The roll of a cluster: which nodes it has, asked every second."""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

import ray

_EVERY_SECONDS = 1.0


class Node(NamedTuple):
    """A machine of the cluster."""

    id: str
    host: str
    cpus: float
    gpus: float


class Call(NamedTuple):
    """An answer to the question who is there."""

    asked: float
    """When, by the monotonic clock."""
    nodes: tuple[Node, ...]
    """Those that live, the agent's own first."""


class Roll:
    """Asks in a thread: of a cluster whose head dies, no answer comes for a minute, and the agent must not wait."""

    def __init__(self) -> None:
        self._own = ray.get_runtime_context().get_node_id()
        self._over = threading.Event()
        self.last = self._ask()
        self._thread = threading.Thread(target=self._keep_asking, name="roll", daemon=True)
        self._thread.start()

    @property
    def silence(self) -> float:
        """For how many seconds nothing has been heard of the cluster, or of this machine's part in it."""
        return time.monotonic() - self.last.asked

    def close(self) -> None:
        """Ask no more; a question that is under way is not waited for."""
        self._over.set()
        self._thread.join(timeout=2 * _EVERY_SECONDS)

    def _keep_asking(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            try:
                call = self._ask()
            except Exception:  # the silence says enough
                continue
            if call.nodes and call.nodes[0].id == self._own:
                self.last = call

    def _ask(self) -> Call:
        asked = time.monotonic()
        nodes = [_node(found) for found in ray.nodes() if found["Alive"]]
        return Call(asked, tuple(sorted(nodes, key=lambda node: (node.id != self._own, node.id))))


def _node(found: dict[str, object]) -> Node:
    there = found["Resources"]
    assert isinstance(there, dict)
    cpus, gpus = float(there.get("CPU", 0.0)), float(there.get("GPU", 0.0))
    return Node(str(found["NodeID"]), str(found["NodeManagerHostname"]), cpus, gpus)
