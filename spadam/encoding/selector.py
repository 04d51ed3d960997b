"""Chooses how the best latents are found, and sees to the samples that the cheap way leaves open.

Shapes: B samples, L latents, D features, k winners.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import ModuleType
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from spadam.encoding.shadow import Shadow
from spadam.encoding.speed import fast_type
from spadam.kernels import choose, reference
from spadam.kernels.topk_bounds import MOST_FEATURES, Found

TopKSearch = Literal["auto", "float32", "certified"]
"""How a person wants the best latents found; :class:`Selector` says what each means."""

_OPEN = 0.01
"""When the candidates of more samples than this share do not fit, the next ones get twice the room."""

_MOST_ROOM = 8

_CHECKED_EVERY = 64
"""Searches of a training after which it is asked whether the weights are those that were looked at. That takes a
twentieth of a search with 1000 latents and a quarter with 65536."""

log = logging.getLogger(__name__)


class Best(NamedTuple):
    """The best latents of each sample, higher scores first, and their scores, (B, k)."""

    scores_Bk: Tensor
    latents_Bk: Tensor

    def first(self, k: int) -> Best:
        """The k best of these."""
        return Best(self.scores_Bk[:, :k], self.latents_Bk[:, :k])


class Counts(NamedTuple):
    """What the certified way did."""

    samples: int = 0
    """Samples that it was asked for."""
    certified: int = 0
    """Of these, the ones whose winners it could prove."""
    widenings: int = 0
    """How often it gave the candidates more room."""


class Selector:
    """Finds the k best latents of each sample.

    `certified` takes candidates from products in int8 or bfloat16, scores them in float32 and proves by an error bound
    that no winner was missed (:mod:`spadam.kernels.topk_bounds`); samples without proof are done again with products in
    float32, as `float32` does them all, and what these leave open by scoring everything. `auto` is `certified` on a CPU
    where one of these types has fast products. With compiled kernels the numbers are the same to the last bit whichever
    way was taken.

    It follows one weight matrix at a time, and looks again at the rows that changed. A change that torch does not count
    (``weight.data``, NumPy) is found out at once when an evaluation asks, in a training within 64 searches, and is
    told. ``counts`` goes on counting.
    """

    def __init__(self, search: TopKSearch = "auto") -> None:
        self.search: TopKSearch = search
        self.counts = Counts()
        self.room = 1
        self._shadow = Shadow(torch.float32)
        self._unchecked = 0  # searches since the weights were last compared

    def way(self, weight_LD: Tensor) -> Literal["float32", "certified"]:
        """What is done for these weights. Only those in float32 have the choice."""
        if weight_LD.dtype != torch.float32 or self.search == "float32":
            return "float32"
        if self.search == "certified":
            return "certified"
        compiled = choose(weight_LD.device) is not reference
        return "certified" if compiled and fast_type() is not None else "float32"

    def forget(self) -> None:
        """Look at every row again; for a training that goes on after a change that torch does not count."""
        self._shadow.forget()
        self._unchecked = 0

    @torch.no_grad()
    def best(self, x_BD: Tensor, weight_LD: Tensor, bias_L: Tensor, k: int, *, training: bool = False) -> Best:
        """The k best latents of each sample of ``x_BD`` by ``x . weight + bias``.

        In ``training`` not every search asks whether the weights were changed in a way that torch does not count.
        """
        kernels = _kernels(weight_LD)
        if not x_BD.shape[0]:
            return Best(x_BD.new_empty(0, k), torch.empty(0, k, dtype=torch.int64, device=x_BD.device))
        if kernels is reference and self.way(weight_LD) == "float32":
            return Best(*reference.exhaust(x_BD, weight_LD, bias_L, k))
        x_BD, bias_L = x_BD.detach().contiguous(), bias_L.detach()
        for _ in range(2):
            best, sound = self._find(kernels, x_BD, weight_LD, bias_L, k, training)
            if sound:
                return best
            self._tell()
            self.forget()
        return Best(*kernels.exhaust(x_BD, weight_LD.detach(), bias_L, k))

    def _find(
        self, kernels: ModuleType, x_BD: Tensor, weight_LD: Tensor, bias_L: Tensor, k: int, training: bool
    ) -> tuple[Best, bool]:
        """The best, and whether the shadow is one of these weights."""
        rounded = self.way(weight_LD) == "certified"
        dtype = _small_type(kernels, weight_LD.shape[1]) if rounded else weight_LD.dtype
        if self._shadow.dtype != dtype:
            self._shadow = Shadow(dtype)
        self._shadow.follow(weight_LD, kernels)
        if not training or self._unchecked >= _CHECKED_EVERY:
            if not self._shadow.holds(weight_LD, kernels):
                self._tell()
                self.forget()
                self._shadow.follow(weight_LD, kernels)
            self._unchecked = 0
        else:
            self._unchecked += 1
        weights_LD = weight_LD.detach()
        found: Found = kernels.find_best(x_BD, weights_LD, bias_L, self._shadow.rounded, k, self.room)
        if rounded:
            self._count(x_BD.shape[0], found.left_open)
            if found.left_open:
                found = _fill(found, x_BD, lambda x: kernels.find_best(x, weights_LD, bias_L, self._shadow.exact(), k))
        if found.left_open:
            found = _fill(found, x_BD, lambda x: _certain(*kernels.exhaust(x, weights_LD, bias_L, k)))
        return Best(found.scores_Bk, found.latents_Bk), found.sound

    def _tell(self) -> None:
        """Say that weights were changed behind torch's back, if a training may have missed winners for it."""
        if self._unchecked:
            log.warning(
                "the encoder's weights were changed in a way that torch does not count (weight.data, NumPy): the last "
                "%d codes of the training may lack winners, from here on they do not; write with torch.no_grad(), or "
                "call model.selector.forget() after it",
                self._unchecked,
            )

    def _count(self, samples: int, left_open: int) -> None:
        widen = left_open > _OPEN * samples and self.room < _MOST_ROOM
        if widen:
            self.room *= 2
        asked, certified, widenings = self.counts
        self.counts = Counts(asked + samples, certified + samples - left_open, widenings + widen)


def _kernels(weight_LD: Tensor) -> ModuleType:
    """Compiled loops take rows that lie one after another, of float32 or float64."""
    fits = weight_LD.dtype in (torch.float32, torch.float64) and weight_LD.is_contiguous()
    return choose(weight_LD.device) if fits else reference


def _small_type(kernels: ModuleType, features: int) -> torch.dtype:
    """What rows are rounded to: torch operations and very long rows take bfloat16."""
    fast = fast_type() if kernels is not reference and features <= MOST_FEATURES else None
    return fast or torch.bfloat16


def _fill(found: Found, x_BD: Tensor, find: Callable[[Tensor], Found]) -> Found:
    """What was found, and for the samples that it leaves open what ``find`` finds."""
    open_O = (~found.settled_B).nonzero()[:, 0]
    others = find(x_BD[open_O])
    for whole, part in zip(found[:3], others[:3], strict=True):
        whole[open_O] = part
    return found._replace(left_open=others.left_open, sound=found.sound and others.sound)


def _certain(scores_Bk: Tensor, latents_Bk: Tensor) -> Found:
    settled_B = torch.ones_like(latents_Bk[:, 0], dtype=torch.bool)
    return Found(scores_Bk, latents_Bk, settled_B, left_open=0, sound=True)
