"""The case of a peer: EleutherAI's ``eai-sparsify``, forward and backward without an optimizer, over our whole step."""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import os
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import Tensor

from spadam.bench.case import Case, Measured, NotRun, Settings, measured
from spadam.bench.steps import LARGE, LONG, SMALL, Ours, Size, draw
from spadam.bench.timing import alternate
from spadam.data.splits import seeded

BARS = {SMALL: 2.2, LARGE: 4.5, LONG: 3.0}

REMEDY = "pip install --group bench"


class Sparsify:
    """A ``SparseCoder`` of the same size, its defaults otherwise: loss (its ``fvu``) and gradients of a batch.

    Its encoder applies a ReLU, its decoder is a matrix of its own, and its gradients are dense.
    """

    def __init__(self, size: Size, batches: list[Tensor]) -> None:
        sparsify = load()
        config = sparsify.SparseCoderConfig(num_latents=size.latents, k=size.k, activation="topk")
        self.model = sparsify.SparseCoder(size.features, config)
        start_LD = seeded("weights", 0)
        self.model.encoder.weight.data.normal_(0, size.features**-0.5, generator=start_LD)
        self._batches = itertools.cycle(batches)

    def step(self) -> Tensor:
        """The loss of the next batch; its gradients are made and dropped."""
        found = self.model(next(self._batches)).fvu
        found.backward()
        self.model.zero_grad()
        loss: Tensor = found.detach()
        return loss


def load() -> Any:
    """The peer's package, without Triton. Raises :class:`NotRun` when it is not installed."""
    try:
        with _alone(), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it imports is not ours to mend
            package = importlib.import_module("sparsify")
    except ImportError as error:
        raise NotRun(f"{error}: {REMEDY}") from None
    if not hasattr(package, "SparseCoder"):
        raise NotRun(f"the package `sparsify` is another one than eai-sparsify's: {REMEDY}")
    return package


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """The environment in which it is imported: no Triton, which wants a GPU, and no network."""
    wanted = {"SPARSIFY_DISABLE_TRITON": "1", "HF_HUB_OFFLINE": "1"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def peer_over_ours(size: Size, settings: Settings) -> Measured:
    """The peer's forward and backward over our whole step."""
    batches = draw(size)
    peer = Sparsify(size, batches)
    return measured(alternate(peer.step, Ours(size, batches).step, settings.effort))


CASES = tuple(
    Case(
        name=f"sparsify without optimizer / ours: {size}",
        bar=bar,
        direction="at least",
        says="Forward and backward of eai-sparsify's SparseCoder, without an optimizer, over our whole step.",
        measure=partial(peer_over_ours, size),
        seconds=40 if size == LONG else 15,
        quick=size == SMALL,
    )
    for size, bar in BARS.items()
)
