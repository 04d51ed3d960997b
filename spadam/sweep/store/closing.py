"""An RDB storage of Optuna's, used for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from spadam.sweep.store.half_written import die_half_written

if TYPE_CHECKING:
    from optuna.storages import RDBStorage


@contextlib.contextmanager
def closing(storage: RDBStorage) -> Iterator[None]:
    """Let go of all connections of ``storage`` at the end of the block."""
    die_half_written(storage.engine)
    try:
        yield
    finally:
        storage.remove_session()
        storage.engine.dispose()
