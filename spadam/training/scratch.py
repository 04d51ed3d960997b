"""Folders that are gone when their work is done."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from spadam.training.interruption import farewells


@contextlib.contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """A temporary folder for the block, removed at its end, however it ends: also when the program leaves at once."""
    folder = Path(tempfile.mkdtemp(prefix=f"spadam-{purpose}-"))
    remove = partial(shutil.rmtree, folder, ignore_errors=True)
    farewells.add(remove)
    try:
        yield folder
    finally:
        remove()
        farewells.discard(remove)
