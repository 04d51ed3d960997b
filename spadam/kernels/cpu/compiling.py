"""How loops are compiled: kept between processes, and split among as many threads as torch has.

A loop runs in parallel over samples or over rows, and no sum crosses two of them: its result has the same bits
whatever the number of threads. No flag lets a compiler forget NaN or infinity, so a run that diverges is seen to.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numba.core.config
import numpy as np
import torch
from numpy.typing import NDArray

from spadam.files import can_write, users_cache

P = ParamSpec("P")
R = TypeVar("R")

config: Any = numba.core.config  # filled from the environment when numba is imported

Reals = NDArray[np.floating[Any]]
Whole = NDArray[np.int64]

TYPES = (torch.float32, torch.float64)
"""What the loops compute with."""

SUMS = {"reassoc", "contract"}
"""Flags for sums of products: terms may be added in another order, and a product rounded together with its sum. Which
order is decided when the loop is compiled, so a processor gives the same bits every time."""


def compiled(*, parallel: bool = False, sums: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Compile a loop at its first call, or take it from the cache; ``sums`` allows :data:`SUMS`."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        before, config.CACHE_DIR = config.CACHE_DIR, cache_folder()
        try:
            options: dict[str, Any] = {"fastmath": SUMS} if sums else {}
            return cast(Callable[P, R], numba.njit(cache=True, parallel=parallel, **options)(function))
        finally:
            config.CACHE_DIR = before

    return decorate


_WORTH = 1 << 15
"""Elements that are worth another thread; torch's own measure."""


def follow_torch(elements: int = 1 << 62) -> None:
    """Let the next parallel loop of this thread have as many threads as torch has, or as its work is worth."""
    threads = torch.get_num_threads()
    numba.set_num_threads(min(threads, config.NUMBA_NUM_THREADS, max(1, elements // _WORTH)))
    if torch.get_num_threads() != threads:  # both may use one OpenMP: Numba's first start sets its number for all
        torch.set_num_threads(threads)


_ALL = np.empty(0, np.int64)


def listed_rows(rows_R: torch.Tensor | None) -> NDArray[np.int64]:
    """The rows that a loop is to go through; none listed stands for all, which None means."""
    return _ALL if rows_R is None else rows_R.numpy()


@cache
def cache_folder() -> str:
    """Where compiled loops are kept: in NUMBA_CACHE_DIR, else the user's cache, else in a folder that goes with us.

    Numba compiles a loop anew when its file has changed, but not when one that it calls has: each state of the files
    has a folder of its own.
    """
    state = _state()
    for folder in (os.environ.get("NUMBA_CACHE_DIR"), users_cache() / "spadam" / "numba"):
        if folder and can_write(Path(folder) / state):
            return str(Path(folder) / state)
    _passing.append(tempfile.TemporaryDirectory(prefix="spadam-numba-", ignore_cleanup_errors=True))
    return _passing[0].name


_passing: list[tempfile.TemporaryDirectory[str]] = []
"""The folder of who has no other; it is removed when this is, at the end of the process."""


def _state() -> str:
    """A hash of all loops as they are written."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))  # a loop keeps the constants of `topk_bounds` too
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
