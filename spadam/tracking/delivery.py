"""A run that was made without W&B, or out of its reach, brought there afterwards."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from typing_extensions import override

from spadam.tracking import client
from spadam.tracking.client import WandbTracker
from spadam.tracking.identity import Identity
from spadam.tracking.spec import TrackingSpec

_PATIENCE: Final = 600.0
"""Seconds that the end of an upload is waited for: a page has megabytes, and nothing else waits."""


class UploadFailed(Exception):
    """A run did not arrive, or not whole; the text is what the client says of it."""


class _Ear(logging.Handler):
    """Keeps what the client complains of: it raises nothing when an upload fails, or is given up."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage().partition(" (every row is in ")[0].removeprefix("W&B: "))


class Delivery(NamedTuple):
    """An upload that has ended."""

    address: str | None
    """Where the run can be looked at."""
    complaint: str | None
    """What the client complained of; whether all has arrived nevertheless, only the server knows."""


def upload(spec: TrackingSpec, who: Identity, show: Callable[[WandbTracker], None]) -> Delivery:
    """Have ``show`` tell W&B of the run ``who``, from its first row on, and end it there.

    Rows that the server has already are not sent again. What the client writes meanwhile is removed. Raises
    :class:`UploadFailed` when nothing could be sent, and what ``show`` raises.
    """
    log, ear = client.log, _Ear()
    log.addHandler(ear)
    passed_on, log.propagate = log.propagate, False
    try:
        with tempfile.TemporaryDirectory(prefix="spadam-sync-") as folder:
            try:
                online = spec.model_copy(update={"mode": "online"})
                tracker = client.start(online, who, Path(folder), before=(), patience=_PATIENCE)
            except Exception as error:
                raise UploadFailed(client.reason(error)) from None
            try:
                show(tracker)
            except Exception:
                tracker.finish(exit_code=1)
                raise
            tracker.finish()
    finally:
        log.propagate = passed_on
        log.removeHandler(ear)
    return Delivery(tracker.address, ear.heard[0] if ear.heard else None)
