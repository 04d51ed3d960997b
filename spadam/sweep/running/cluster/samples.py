"""The data of a sweep on its nodes: through Ray's object store, once a node; what is mapped from a file lies there.

Either way a node must have what the agent has, by its hash.
"""

from __future__ import annotations

import socket
import warnings
from typing import Any, NamedTuple

import ray
import torch

from spadam.data import DatasetSpec
from spadam.data.samples import Samples
from spadam.data.source import BaseDatasetSpec, give
from spadam.spec import InputError

_TENSORS = ("x", "y", "atoms", "groups", "mask")
_PLAIN = ("classes", "image_shape", "official_validation", "official_test", "argument")

Shipped = dict[str, Any]
"""Samples as Ray hands them on: arrays that all processes of a node share, and plain values."""


class Lot(NamedTuple):
    """The data of a task."""

    expected: str
    """Its hash at the agent."""
    samples: Any
    """A reference to :data:`Shipped`; None: the node has the file."""


class Shelf:
    """What the agent has put into the object store: each set of samples once."""

    def __init__(self) -> None:
        self._lots: dict[BaseDatasetSpec, Lot] = {}
        self._shipped: dict[BaseDatasetSpec, Any] = {}

    def lot(self, spec: DatasetSpec) -> Lot:
        """What a task with the data of ``spec`` is given. Raises what loading it does."""
        if spec not in self._lots:
            dataset = spec.load()
            if not dataset.samples.mapped and spec.whole not in self._shipped:
                self._shipped[spec.whole] = ray.put(ship(dataset.samples))
            self._lots[spec] = Lot(dataset.content_hash(), self._shipped.get(spec.whole))
        return self._lots[spec]


def ship(samples: Samples) -> Shipped:
    """``samples`` as they travel."""
    arrays = {name: getattr(samples, name) for name in _TENSORS}
    plain = {name: getattr(samples, name) for name in _PLAIN}
    found = {name: None if tensor is None else tensor.numpy() for name, tensor in arrays.items()} | plain
    return {**found, "target": None if samples.target is None else ship(samples.target)}


def receive(spec: DatasetSpec, expected: str, shipped: Shipped | None) -> None:
    """Make sure that ``spec`` loads the agent's data in this process.

    Raises :class:`InputError`, with the name of this node, when it has other data.
    """
    if shipped is not None and spec.whole not in _received:
        with warnings.catch_warnings():
            # They cannot be written to, which nobody does: see `Samples`.
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            give(spec, _unpacked(shipped))
        _received.add(spec.whole)
    try:
        found = spec.load().content_hash()
    except InputError as error:
        raise InputError(error.argument, error.value, f"on {_node()}: {error.rule}", error.remedy) from None
    if found != expected:
        rule = f"every node must have the agent's data ({expected[:8]}), and {_node()} has other ({found[:8]})"
        raise InputError("data.root", spec.root, rule, "copy the agent's files there")


def _unpacked(shipped: Shipped) -> Samples:
    """What :func:`ship` was given, on the memory that the arrays lie in."""
    tensors: Shipped = {n: None if shipped[n] is None else torch.from_numpy(shipped[n]) for n in _TENSORS}
    plain = {name: shipped[name] for name in _PLAIN}
    target = None if shipped["target"] is None else _unpacked(shipped["target"])
    return Samples(**tensors, **plain, target=target)


_received: set[BaseDatasetSpec] = set()


def _node() -> str:
    return f"node {socket.gethostname()}"
