"""A cache for those who have no home: containers often run as a user whose home is not there, or not theirs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from spadam.files import CACHE, can_write, users_cache
from spadam.training.scratch import scratch_folder


@contextlib.contextmanager
def cache() -> Iterator[str | None]:
    """Have a cache that this process and those that it starts share for the block; what there is to say about it.

    Nothing is done, or said, where the user has one. Otherwise it is a temporary folder that is gone after the block.
    """
    missing, before = users_cache(), os.environ.get(CACHE)
    if can_write(missing):
        yield None
        return
    with scratch_folder("cache") as folder:
        os.environ[CACHE] = str(folder)
        try:
            yield (
                f"{missing} cannot be written: loops are compiled once for this command and kept in "
                f"{folder} until it ends; set {CACHE} to a folder that stays"
            )
        finally:
            if before is None:
                del os.environ[CACHE]
            else:
                os.environ[CACHE] = before
