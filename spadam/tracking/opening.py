"""How a training gets its tracker, whatever becomes of W&B."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spadam.tracking import client, environment
from spadam.tracking.identity import Identity
from spadam.tracking.spec import TrackingSpec
from spadam.tracking.tracker import NoTracker, Rows, Tracker

log = logging.getLogger(__name__)

_given_up: set[str] = set()
"""Modes that did not start in this process: a wait and a warning for each of its runs would be one too many."""


def open_run(
    spec: TrackingSpec,
    *,
    folder: Path,
    run_id: str,
    config: Mapping[str, Any],
    group: str | None = None,
    job_type: str | None = None,
    tags: tuple[str, ...] = (),
    name: str | None = None,
    before: Rows | None = None,
) -> Tracker:
    """A tracker for one training; any number of them may follow one another in a process.

    ``run_id`` names the run for ever (see :func:`plain_id`); online, a run that is there already goes on. ``group`` is
    its sweep, ``job_type`` its phase there. ``before`` are the rows that it has recorded already: with them every row
    is shown once, in order, whatever an attempt that was killed has shown. The client writes into ``folder/wandb``, and
    its own log into the user's cache folder (``WANDB_CACHE_DIR``). The address is ``WANDB_BASE_URL``, or what `wandb
    login` stored, or :data:`spadam.tracking.PUBLIC_ADDRESS`; the client finds the key by itself, it never passes
    through here.

    A tracker that cannot start (``WANDB_INIT_TIMEOUT``, 20 seconds unless set, is the longest wait for a server) is
    told as one warning, and what is returned does nothing. Online is then not tried again in this process. At the end
    of a run the upload has ``WANDB_FINISH_TIMEOUT`` seconds (60 unless set). A `WANDB_MODE` that shows less than the
    ``spec`` is heeded; :func:`spadam.tracking.settle` decides about one that shows more.
    """
    mode = environment.least(spec.mode, environment.mode_in_force(spec.mode))
    if mode == "disabled" or mode in _given_up:
        return NoTracker()
    asked = environment.asked_by_agent() if spec.agent else None
    run_id, sweep = asked or (run_id, None)
    who = Identity(run_id, name or "", job_type or "", config, group, tags, sweep)
    try:
        return client.start(spec.model_copy(update={"mode": mode}), who, folder, before)
    except Exception as error:
        if mode == "online":
            _given_up.add(mode)
        said = f"W&B ({mode}) could not start: {client.reason(error)}"
        log.warning("%s; going on without it, every row is in metrics.jsonl", said)
        return NoTracker()
