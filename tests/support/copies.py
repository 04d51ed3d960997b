"""Sweeps of a variant and its copy, simulated: whoever tells the two apart is wrong, which can be counted.

The search is the real one, Optuna's TPE behind :class:`~spadam.sweep.search.propose.Proposer`; what a training gives is
drawn from a response that was measured: lazy_adam on digits (256 latents, top_k 8, batch 64, 5 epochs), val/fvu of four
seeds at ten lr. Each arm has a sampler and training seeds of its own.
"""

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Literal

import numpy as np

from spadam.claims.arm import Arm
from spadam.claims.judging import Case, judge
from spadam.claims.scale import Scale
from spadam.claims.spec import About, ClaimSpec, Kind
from spadam.claims.verdict import Verdict
from spadam.spec import Document
from spadam.sweep.definition.reading import check
from spadam.sweep.definition.spec import SearchSpec, Variant
from spadam.sweep.search.propose import Proposer, Seen
from spadam.sweep.search.slots import Slot

LR = np.logspace(-4, -1, 10)
MEAN = np.log([0.6785, 0.6032, 0.4865, 0.3516, 0.2502, 0.1871, 0.1603, 0.1619, 0.2335, 0.6545])
"""Of ln val/fvu over seeds, at each lr."""
DEVIATION = np.array([0.013, 0.015, 0.013, 0.007, 0.007, 0.013, 0.018, 0.016, 0.033, 0.17])
"""Between seeds."""

ERROR = Scale(ratio=True)


def response(lr: float, rng: np.random.Generator, better: float = 0.0) -> float:
    """The error of a training with ``lr`` and a fresh seed; that of a variant that is ``better`` is so much less."""
    place = math.log10(lr)
    mean, deviation = np.interp(place, np.log10(LR), MEAN), np.interp(place, np.log10(LR), DEVIATION)
    return math.exp(rng.normal(mean, deviation) - better)


@lru_cache(maxsize=1)
def _variant() -> Variant:
    spec = {
        "name": "copies",
        "base": {"data": {"name": "digits"}, "model": {"latents": 64}},
        "variants": {"a": {"optimizer": {"name": "lazy_adam"}}},
        "space": {"optimizer.lr": {"low": 1e-4, "high": 1e-1, "log": True}},
        "search": {"trials": 16},
    }
    return check(Document(spec, {}, "copies")).variants["a"]


def found_lr(rng: np.random.Generator, trials: int, better: float, sampler: Literal["tpe", "random"]) -> float:
    """What a search of its own finds: the three best trials are trained three times more, and the best mean is it."""
    search = SearchSpec(sampler=sampler, trials=trials, seed=int(rng.integers(1 << 30)))
    proposer, seen = Proposer(search, _variant(), "minimize"), dict[int, Seen]()
    for number in range(trials):
        params = proposer.propose(Slot("a", "search", 0, number, 0), seen)
        seen[number] = Seen(params, response(float(params["optimizer.lr"]), rng, better))
    first = sorted(seen.values(), key=lambda one: float(one.value))[:3]  # type: ignore[arg-type]
    means = {float(one.params["optimizer.lr"]): 0.0 for one in first}
    for lr in means:
        means[lr] = sum(response(lr, rng, better) for _ in range(3))
    return min(means, key=means.__getitem__)


def arm(
    name: str,
    rng: np.random.Generator,
    *,
    studies: int,
    seeds: int,
    trials: int = 16,
    better: float = 0.0,
    sampler: Literal["tpe", "random"] = "tpe",
) -> Arm:
    """A variant with so many ``studies``, each its own search with ``seeds`` repeats; of one study a unit is a seed."""
    found = [found_lr(rng, trials, better, sampler) for _ in range(studies)]
    values = [[response(lr, rng, better) for _ in range(seeds)] for lr in found]
    units = dict(enumerate(values)) if studies > 1 else {seed: [value] for seed, value in enumerate(values[0])}
    return Arm(name, units, studies * seeds)


def verdict(
    rng: np.random.Generator,
    kind: Kind = "different",
    *,
    margin: float,
    studies: int,
    better: float = 0.0,
    **how: object,
) -> Verdict:
    """What is said of a and b, where a is ``better`` than b; by default its copy."""
    about: About = "variants" if studies > 1 else "settings"
    claim = ClaimSpec(says="a and b", variants=("a", "b"), metric="test/fvu", kind=kind, margin=margin, about=about)
    first = arm("a", rng, studies=studies, better=better, **how)  # type: ignore[arg-type]
    second = arm("b", rng, studies=studies, **how)  # type: ignore[arg-type]
    return judge([Case(claim, ERROR, False, (first, second))])[0]


def share(times: int, answer: Callable[[np.random.Generator], Verdict], wanted: str) -> int:
    """How many of so many sweeps give the answer that is ``wanted``; each has a generator of its own."""
    return sum(answer(rng).answer == wanted for rng in generators(times))


def generators(times: int) -> Iterator[np.random.Generator]:
    """The same ones each time."""
    yield from (np.random.default_rng([7, number]) for number in range(times))
