"""How long a thread that has nothing to do waits awake for more."""

from __future__ import annotations

import os

SWITCH = "GOMP_SPINCOUNT"
"""OpenMP's own (GNU): so often a thread looks for work before it sleeps. Others do not know it and nothing happens."""

TURNS = 3000
"""Some ten microseconds. Left alone it is milliseconds, through which a thread that waits for torch's next product
keeps one of the compiled loops, or anybody else, from its core: with one other busy process on two cores a float32 step
of 16384 latents took 2.0 times the floor instead of 0.95, with 3000 turns 0.92. Sleeping at once costs small models
more: alone, 1000 latents, 2.0 times the floor; with 3000 turns 1.6, awake for long 1.45."""


def wait_briefly() -> None:
    """Turn the switch, unless somebody has decided; worker processes inherit it. Call before torch is imported."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault(SWITCH, str(TURNS))
