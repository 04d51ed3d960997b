"""The roll of a cluster: which nodes it has, asked every second."""

from __future__ import annotations

import threading
import time
from typing import Any, Final, NamedTuple

import ray
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.core.generated.gcs_pb2 import GcsNodeInfo

_EVERY_SECONDS: Final = 1.0

_PATIENCE_SECONDS: Final = 10.0
"""For one answer."""


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
    """Asks in a thread: of a cluster whose head dies no answer comes, and the agent must not wait for one.

    The head is asked as Ray Serve asks it. `ray.nodes()` aborts the whole process when another head answers at the same
    address, as one does that is started again; this raises then.
    """

    def __init__(self) -> None:
        context = ray.get_runtime_context()
        self._own = context.get_node_id()
        self._head = GcsClient(address=context.gcs_address)
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
        found = self._head.get_all_node_info(timeout=_PATIENCE_SECONDS, state_filter=GcsNodeInfo.ALIVE)
        nodes = [_node(id_.hex(), node) for id_, node in found.items()]
        return Call(asked, tuple(sorted(nodes, key=lambda node: (node.id != self._own, node.id))))


def _node(id_: str, found: Any) -> Node:
    has = found.resources_total
    return Node(id_, found.node_manager_hostname, has.get("CPU", 0.0), has.get("GPU", 0.0))
