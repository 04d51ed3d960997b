"""The gate of a crew: nobody trains on a node whose software is another than the agent's.

A node is asked with a function of the standard library, because what it has of this package may not even import.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from spadam.spec import InputError
from spadam.sweep.running.cluster.roll import Node
from spadam.training.result import versions

_MISSING = "not installed"

_ASK_ANEW_SECONDS = 90.0
"""A node that has not answered by then is asked again: a question can get lost with a process that should answer it."""


def expected_versions() -> dict[str, str]:
    """What every node must have: all that can change a number."""
    return {name: found for name, found in versions().items() if name != "wandb"}


class Gate:
    """Asks each node until it has answered once."""

    def __init__(self, expected: Mapping[str, str], environment: Mapping[str, Any]) -> None:
        self._expected = expected
        self._version = ray.remote(num_cpus=0, max_retries=0, runtime_env=environment)(version)
        self._asked: dict[str, tuple[float, list[Any]]] = {}
        """When, and what the answers will be."""
        self._passed: set[str] = set()

    def passes(self, node: Node) -> bool:
        """Whether ``node`` is known to be like this one; it may not have answered yet.

        Raises :class:`InputError`, with its name, when it is another.
        """
        if node.id in self._passed:
            return True
        if node.id not in self._asked:
            here = self._version.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False))
            self._asked[node.id] = time.monotonic(), [here.remote(name) for name in self._expected]
        since, answers = self._asked[node.id]
        if len(ray.wait(answers, num_returns=len(answers), timeout=0)[0]) < len(answers):
            if time.monotonic() - since > _ASK_ANEW_SECONDS:
                del self._asked[node.id]
            return False
        try:
            found = dict(zip(self._expected, map(_answer, answers), strict=True))
        except RayError:  # whoever should answer was lost: ask anew, if the node is still there
            del self._asked[node.id]
            return False
        others = [f"{name} {found[name]} (here {here})" for name, here in self._expected.items() if found[name] != here]
        if others:
            rule = f"every node must have the agent's software, and {node.host} has {', '.join(others)}"
            same = " ".join(f"{name}=={here}" for name, here in self._expected.items() if found[name] != here)
            raise InputError("--crew", "ray", rule, f"there, pip install {same}; or take it out of the cluster")
        self._passed.add(node.id)
        return True


def _answer(reference: Any) -> str:
    try:
        return str(ray.get(reference))
    except RayTaskError as error:
        if isinstance(error.cause, PackageNotFoundError):
            return _MISSING
        raise
