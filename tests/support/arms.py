"""Made measurements of two variants, for claims about them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from spadam.claims.arm import Arm
from spadam.claims.judging import Case
from spadam.claims.scale import Scale
from spadam.claims.spec import ClaimSpec, Kind

ERROR = Scale(ratio=True)
ACCURACY = Scale(ratio=False, share=True)
N = 10


def arm(name: str, values: Sequence[float | None], **more: Any) -> Arm:
    """What a setting brings: one value a seed."""
    return Arm(name, {10_000 + seed: [value] for seed, value in enumerate(values)}, planned=len(values), **more)


def claim(kind: Kind, **more: Any) -> ClaimSpec:
    """A claim about a and b, by default with a margin of one per cent."""
    margin = {} if "bound" in more else {"margin": 0.01}
    given = {"says": "so it is", "variants": ("a", "b"), "metric": "test/fvu", "kind": kind, **margin, **more}
    return ClaimSpec.model_validate(given)


def errors(factor: float, n: int = N, spread: float = 0.003, seed: int = 0) -> tuple[list[float], list[float]]:
    """Errors of two variants that share their seeds; the first's are ``factor`` times the second's, nearly."""
    rng = np.random.default_rng(seed)
    base = 0.1 * np.exp(rng.normal(0, 0.2, n))
    return list(base * factor * np.exp(rng.normal(0, spread, n))), list(base)


def case(kind: Kind, factor: float, n: int = N, **more: Any) -> Case:
    """A claim about errors whose ratio is about ``factor``."""
    first, second = errors(factor, n)
    return Case(claim(kind, **more), ERROR, False, (arm("a", first), arm("b", second)))
