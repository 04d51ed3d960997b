"""A worker as its agent sees it."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from spadam.sweep.running.cluster.resources import Share
from spadam.sweep.running.cluster.roll import Node
from spadam.sweep.running.cluster.worker import Joined, Order, Word, Worker
from spadam.sweep.running.crew import place_name
from spadam.sweep.running.task import Task, Train


class Lost(Exception):
    """A worker is gone; the text is what Ray says of it."""


def kind_of_worker(share: Share, environment: dict[str, Any]) -> Any:
    """Workers with ``share`` of their node, to Ray; made once, because the head must be asked for it.

    Nothing is tried again behind the agent's back: retries are attempts of a slot.
    """
    return ray.remote(
        num_cpus=share.cpus, num_gpus=share.gpus, runtime_env=environment, max_restarts=0, max_task_retries=0
    )(Worker)


class Member:
    """One worker: its node, and what it is at."""

    def __init__(self, node: Node, kind: Any, train: Train, folder: str, compiled: bool, credentials: Any) -> None:
        """``kind`` is what :func:`kind_of_worker` makes; for the rest see :class:`Worker`."""
        self.node = node
        here = NodeAffinitySchedulingStrategy(node.id, soft=False)
        self._actor: Any = kind.options(scheduling_strategy=here).remote(train, folder, compiled)
        self._joining: Any = self._actor.join.remote(credentials)
        self._stream: Any = None
        self._since = time.monotonic()
        self.joined: Joined | None = None
        self.task: Task | None = None
        self.heard = 0.0

    @property
    def awaited(self) -> Any | None:
        """What something is to be heard from."""
        return self._joining if self.joined is None else None if self.task is None else self._stream

    @property
    def waiting_seconds(self) -> float:
        """For how long it has not been ready; 0 once it is."""
        return 0.0 if self.joined is not None else time.monotonic() - self._since

    @property
    def is_kept_waiting(self) -> bool:
        """Whether its node has no room for it, as it seems: others may use the cluster, too."""
        return self.waiting_seconds > _PATIENCE_SECONDS

    @property
    def name(self) -> str:
        """Its host and process."""
        return self.node.host if self.joined is None else place_name(self.joined.pid, self.joined.host)

    def meet(self) -> bool:
        """Whether it is ready to train. Raises :class:`Lost` when it never will be."""
        if self.joined is None and ray.wait([self._joining], timeout=0)[0]:
            try:
                self.joined = ray.get(self._joining)
            except RayError as error:
                raise Lost(_reason(error)) from error
        return self.joined is not None

    def begin(self, order: Order, inheritance: Any, samples: Any) -> None:
        """Have it train; two references to what Ray brings there."""
        self.task, self.heard = order.task, time.monotonic()
        train = self._actor.train.options(num_returns="streaming")
        self._stream = train.remote(order._replace(task=order.task._replace(earlier=())), inheritance, samples)

    def hear(self) -> Word | None:
        """What it says next; None when it has said nothing more. Raises :class:`Lost` when it is gone."""
        if not ray.wait([self._stream], timeout=0)[0]:
            return None
        try:
            word: Word = ray.get(next(self._stream), timeout=_FETCH_SECONDS)
        except RayTaskError as error:
            raise Lost(_reason(error.cause)) from error
        except (RayError, StopIteration) as error:
            raise Lost(_reason(error)) from error
        self.heard = time.monotonic()
        return word

    def dismiss(self) -> threading.Thread:
        """Let it go at once, whatever it is at; nothing that it says later is heard.

        Ray is told in a thread, which is returned: a cluster whose head is gone gives no answer for a minute.
        """
        thread = threading.Thread(target=self._kill, name="dismissal", daemon=True)
        thread.start()
        return thread

    def _kill(self) -> None:
        with contextlib.suppress(Exception):  # it, or its whole cluster, may be gone
            ray.kill(self._actor)


_PATIENCE_SECONDS = 30.0
"""A worker that is not ready after so long is not counted on."""

_FETCH_SECONDS = 120.0
"""What has been announced must be here by then."""


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines)}" if lines else type(error).__name__
