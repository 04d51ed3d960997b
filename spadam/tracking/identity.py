"""Who a run is at W&B."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

_ID_LENGTH = 100  # the id becomes part of file names, whose limit is 255 bytes


class Identity(NamedTuple):
    """Who a run is: the same whenever, wherever and however often it is shown, so that it is one run there."""

    run_id: str
    """Names it for ever; see :func:`plain_id`."""
    name: str
    """What people read."""
    job_type: str
    """Its phase in a sweep; else what it is for."""
    config: Mapping[str, Any]
    """What it may be filtered and grouped by."""
    group: str | None = None
    """Its sweep."""
    tags: tuple[str, ...] = ()
    sweep: str | None = None
    """The sweep of W&B's own whose agent asked for it."""
    judge: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    """What its summary holds beside the metrics of a run that is complete, given those."""


def plain_id(text: str) -> str:
    """``text`` as an id that wandb and every file system take: letters, digits, ``.``, ``_`` and ``-``.

    Texts that differ have ids that differ: whatever had to be changed is marked with a hash of the whole.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text)
    if plain == text and 0 < len(text) <= _ID_LENGTH:
        return text
    mark = "-" + hashlib.sha256(text.encode()).hexdigest()[:8]
    return plain[: _ID_LENGTH - len(mark)] + mark
