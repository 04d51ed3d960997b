"""What a W&B server has of runs: asked before anything is uploaded, so that nothing is uploaded twice."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from spadam.tracking import client
from spadam.tracking.identity import plain_id
from spadam.tracking.server import ask, odd_answer
from spadam.tracking.spec import TrackingSpec

_AT_A_TIME: Final = 8
_PATIENCE: Final = 20.0
"""Seconds for an answer."""
_PAUSES: Final = (1.0, 4.0, None)
"""Seconds before a question that was not answered is asked again; after the last it is given up."""

_QUESTION: Final = """query RunResumeStatus($project: String, $entity: String, $name: String!) {
  model(name: $project, entityName: $entity) {
    id name entity { id name }
    bucket(name: $name, missingOk: true) { id name summaryMetrics historyLineCount }
  }
}"""
"""What the client asks itself before it goes on with a run."""


class Present(NamedTuple):
    """What the server has of a run."""

    rows: int
    """So many of its rows, from the first on, its pictures counted as one."""
    summary: dict[str, Any]
    """Its outcome, as far as it was told."""


def presence(spec: TrackingSpec, run_ids: Iterable[str], told: Callable[[], None]) -> dict[str, Present]:
    """What the server has of the runs in ``run_ids`` in the project of ``spec``, by id; those it has not are left out.

    ``told`` is called after each answer, from any thread. Raises ConnectionError, with what was the matter, when the
    server gives none.
    """
    access = client.access()

    def ask(run_id: str) -> tuple[str, Present | None]:
        found = _ask(access, spec, plain_id(run_id))
        told()
        return run_id, found

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        try:
            answers = list(pool.map(ask, run_ids))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return {run_id: found for run_id, found in answers if found is not None}


def _ask(access: client.Access, spec: TrackingSpec, run_id: str) -> Present | None:
    variables = {"project": spec.project, "entity": spec.entity or access.entity, "name": run_id}
    question = {"query": _QUESTION, "variables": variables, "operationName": "RunResumeStatus"}
    for pause in _PAUSES:
        try:
            return _answer(access, question)
        except ConnectionError:
            if pause is None:
                raise
            time.sleep(pause)
    raise AssertionError("the last pause is none")


def _answer(access: client.Access, question: dict[str, Any]) -> Present | None:
    answer = ask(access, question, _PATIENCE)
    try:
        model = (answer.get("data") or {}).get("model")
        bucket = model and model["bucket"]
        if not bucket:
            return None
        return Present(bucket["historyLineCount"] or 0, json.loads(bucket["summaryMetrics"] or "{}"))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise odd_answer(access) from None
