"""Which trainings a sweep has, with which seeds, and the points that are known beforehand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from spadam.sweep.definition.space import Axis, Value
from spadam.sweep.definition.spec import SEEDS_APART, SearchSpec, Sweep, Variant

Phase = Literal["search", "choose", "repeat"]
"""Trials are searched, the best of them trained again to choose one of them, and that one is repeated."""

Turn: TypeAlias = tuple[int, int, int, int]

_ORDER: dict[Phase, int] = {"search": 0, "choose": 1, "repeat": 2}

STARTUP = 10
"""So many first trials of every study are drawn at random, before a sampler learns (Optuna's default for TPE)."""


class Slot(NamedTuple):
    """One planned training."""

    variant: str
    phase: Phase
    study: int
    number: int
    """From 0 within (variant, phase, study)."""
    seed: int
    """What the training is seeded with."""
    point: str = ""
    """Of what trains a trial's parameters again: their hash."""

    @property
    def id(self) -> str:
        """Names the slot within its variant for ever. With other parameters trained again it is another slot."""
        if self.phase == "search":
            return f"search-{self.study}/{self.number}"
        return f"{self.phase}-{self.study}/{self.point}/{self.seed}"

    @property
    def label(self) -> str:
        """Names the slot for people, its folder, and W&B; the first study is not mentioned."""
        study = f"s{self.study}-" if self.study else ""
        return f"{self.phase}-{study}{self.number}"

    @property
    def folder(self) -> Path:
        """Where its attempts lie, within the folder of the sweep."""
        return Path(self.variant) / self.label


def search_slots(sweep: Sweep, variant: str, study: int | None = None) -> list[Slot]:
    """The search slots of a variant, or of one study: `search.trials` in each, the same seeds for every variant."""
    return [
        Slot(variant, "search", study, number, sweep.seed + study)
        for study in (range(sweep.spec.search.studies) if study is None else [study])
        for number in range(sweep.trials)
    ]


def repeat_seeds(sweep: Sweep, study: int) -> list[int]:
    """Seeds of the repeats of a study's best: no search has them, no other study, and every variant the same."""
    first = sweep.seed + SEEDS_APART * (study + 1)
    return list(range(first, first + sweep.spec.repeat.seeds))


def choosing_seeds(sweep: Sweep, study: int) -> list[int]:
    """Seeds by which a study chooses its setting: no search and no repeat has them, and every variant the same.

    They lie beyond those of the repeats of all the studies that there may be.
    """
    first = sweep.seed + SEEDS_APART * (SEEDS_APART + study + 1)
    return list(range(first, first + (0 if sweep.spec.chooses is None else sweep.spec.chooses.seeds)))


def turn(phase: Phase, number: int, study: int, variant: int) -> Turn:
    """Where a slot stands among all of its sweep; ``variant`` is the place of its variant in the file.

    Searches come first, then what settings are chosen by, then repeats; and lower numbers first; of equal numbers those
    of the first study, and there each variant in its turn. So all are equally far, whenever a sweep is stopped.
    """
    return _ORDER[phase], number, study, variant


def digest(params: Mapping[str, Value]) -> str:
    """A short hash of ``params``."""
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:12]


def enumerate_point(search: SearchSpec, variant: Variant, slot: Slot) -> dict[str, Value] | None:
    """The parameters of a search slot that depend on no result; None when a sampler must be asked.

    The same slot of another variant has the same values on the axes that both have.
    """
    if search.sampler == "qmc":
        return {axis.name: axis.at(_sobol(search.seed, slot, axis)) for axis in variant.axes}
    if search.sampler == "grid":
        axes = sorted(variant.axes, key=lambda axis: axis.name)  # the order of lines in a file changes nothing
        values: dict[str, Value] = {}
        left = slot.number
        for axis in reversed(axes):  # the last one changes from slot to slot
            left, number = divmod(left, axis.points)
            values[axis.name] = axis.point(number)
        return {axis.name: values[axis.name] for axis in axes}
    # A later slot that may not see a single result has nothing to learn from either.
    if search.sampler == "random" or slot.number < max(STARTUP, search.lag):
        return {axis.name: axis.at(_uniform(search.seed, slot, axis.name)) for axis in variant.axes}
    return None


def _uniform(seed: int, slot: Slot, axis: str) -> float:
    """A number in [0, 1) for one axis of one slot, whatever variant and other axes there are."""
    return _draw(f"{seed}/{slot.study}/{slot.number}/{axis}") / 2**64 * (1 - 2**-53)


def _sobol(seed: int, slot: Slot, axis: Axis) -> float:
    """A number in [0, 1) for one axis of one slot: the slot's point of the Sobol sequence in the axis's dimension.

    Its digits are exchanged (XOR) with ones drawn for the study and the axis. That keeps every elementary interval as
    full as it was, and takes the sequence's first point away from the corner at which it is always.
    """
    exchanged = _draw(f"{seed}/{slot.study}/qmc/{axis.name}") >> (64 - _SOBOL_BITS)
    points = _sobol_points(axis.dimension + 1, max(8, slot.number.bit_length()))
    return (int(points[slot.number, axis.dimension] * _SOBOL_ONE) ^ exchanged) / _SOBOL_ONE


_SOBOL_BITS = 53  # what a float holds exactly
_SOBOL_ONE = 1 << _SOBOL_BITS


@lru_cache(maxsize=16)
def _sobol_points(dimensions: int, power: int) -> Any:
    """The first 2^power points of the Sobol sequence, (2^power, dimensions); more points or dimensions change none."""
    from scipy.stats.qmc import Sobol  # here, because reading a sweep should not wait for it

    return Sobol(dimensions, scramble=False, bits=_SOBOL_BITS).random(2**power)


def _draw(text: str) -> int:
    """64 bits that depend on ``text`` alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
