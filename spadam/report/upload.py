"""What of a sweep, or of one training, can be shown at W&B once it has ended.

A *piece* is a run there: a training, or the run of the sweep itself, which holds its table and its page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from spadam.claims.verdict import Verdict
from spadam.claims.words import ANSWERS, sentence
from spadam.config import RunConfig, stored_config
from spadam.files import strict_json
from spadam.spec import Document
from spadam.sweep.definition.columns import columns as shown
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.table import columns_of
from spadam.sweep.running.task import identity_of
from spadam.tracking import Identity, Present, TrackingSpec, UploadFailed, WandbTracker, presence, settle, upload
from spadam.tracking.views.panels import TABLE, VERDICTS
from spadam.training.ledger import rows
from spadam.training.result import RunResult
from spadam.training.view import identity_of as identity_alone
from spadam.training.view import outcome_of, show_again

_DIGEST = "sweep/digest"
"""In the summary of a sweep's run: what its table and page were made of."""


class Show(Protocol):
    """Tells a tracker of a run; ``noted`` hears why something had to be left out."""

    def __call__(self, tracker: WandbTracker, noted: Callable[[str], None]) -> None:
        """Tell it."""


class Piece(NamedTuple):
    """A run as it is to stand at W&B."""

    spec: TrackingSpec
    who: Identity
    rows: int
    """So many rows are measured."""
    mark: dict[str, Any]
    """What its summary holds once all of it is there."""
    show: Show
    """Tells a tracker of it."""

    def is_there(self, present: Present | None) -> bool:
        """Whether the server, which has ``present`` of it, lacks nothing."""
        return (
            present is not None
            and present.rows >= self.rows
            and all(present.summary.get(name) == value for name, value in self.mark.items())
        )


class Collected(NamedTuple):
    """The trainings of a sweep."""

    pieces: list[Piece]
    """Those that have ended."""
    unfinished: int
    """So many slots have no result yet."""
    lost: list[str]
    """Why slots that have one are left out: a sentence each."""


def training_pieces(outcome: Outcome, below: Path) -> Collected:
    """The trainings of a sweep whose folders are ``below`` (or are it)."""
    assert outcome.folder is not None
    pieces, unfinished, lost = [], 0, []
    for search in outcome.searches:
        spec = outcome.sweep.variants[search.variant].corners[0].tracking
        for record in (*search.records, *search.superseded):
            place = outcome.folder / record.slot.folder
            if below not in (place, *place.parents) and place not in below.parents:
                continue
            if (result := record.result) is None:
                unfinished += record not in search.superseded
                continue
            ended = {path.parent.name: path.parent for path in place.glob("attempt-*/result.json")}
            folder = ended[max(ended, key=lambda name: (len(name), name))] if ended else None  # 10 comes after 9
            if folder is None:
                lost.append(f"{place} holds no training any more")
                continue
            try:
                config = _config(result, folder)
                who = identity_of(outcome.sweep.name, record.slot, config, outcome.sweep.spec.objective)
                pieces.append(_training(spec, who, config, folder, result))
            except (OSError, ValueError) as error:
                lost.append(f"{place} cannot be read ({error})")
    return Collected(pieces, unfinished, lost)


def lone_piece(folder: Path, result: RunResult) -> Piece:
    """The training in ``folder``, which belongs to no sweep. Raises OSError or ValueError when it cannot be read."""
    config = _config(result, folder)
    return _training(config.tracking, identity_alone(config), config, folder, result)


def sweep_piece(outcome: Outcome) -> Piece:
    """The run of the sweep itself."""
    name, table = outcome.sweep.name, outcome.rows
    done = {state: sum(row["status"] == state for row in table) for state in ("complete", "pruned", "diverged")}
    best = {
        f"best/{variant}": outcome.value(found[0].best)
        for variant in outcome.sweep.variants
        if not outcome.is_front and (found := outcome.best_first(variant)) and found[0].best is not None
    } | {f"front/{variant}": len(outcome.front(variant)) for variant in outcome.sweep.variants if outcome.is_front}
    answers = outcome.answers
    told = [table, [verdict.as_json() for verdict in answers]] if answers else table
    digest = hashlib.sha256(strict_json(told).encode()).hexdigest()[:16]
    claims = {f"claims/{n}": f"{ANSWERS[one.answer]}: {one.claim.says}" for n, one in enumerate(answers)}
    counts = {f"trainings/{state}": n for state, n in done.items()}
    summary = {"done": outcome.done, **counts, **best, **claims, _DIGEST: digest}

    def show(tracker: WandbTracker, noted: Callable[[str], None]) -> None:
        from spadam.report.page import page  # here, because plotly takes its time to import

        columns = columns_of(table, shown(outcome.sweep))
        cells = [{**row, **row["params"], **row["metrics"]} for row in table]
        tracker.show_table(TABLE, columns, [[_cell(row.get(column)) for column in columns] for row in cells])
        if answers:
            tracker.show_table(VERDICTS, _VERDICT, [[_cell(value) for value in _verdict(one)] for one in answers])
        tracker.show_page("report", page(outcome))
        tracker.summary(summary)

    config = {"sweep": {"name": name, "spec": outcome.attributes.get("spec", {})}}
    who = Identity(f"{name}-sweep", f"{name} · results", "sweep", config, name, tuple(outcome.sweep.variants))
    return Piece(outcome.sweep.tracking, who, 0, {_DIGEST: digest}, show)


_VERDICT = ("claim", "verdict", "measured", "effect", "low", "high", "level", "n", "looks", "post hoc")


def _verdict(one: Verdict) -> tuple[object, ...]:
    """The row of a verdict; an interval that has no end has none there."""
    interval = one.as_json()["interval"] or (None, None)
    known = (one.effect, *interval, one.level, one.n, one.looks, one.post_hoc)
    return one.claim.says, ANSWERS[one.answer], sentence(one), *known


def show_streamed(outcome: Outcome) -> str | None:
    """Bring the table and the page of a sweep to W&B, when its trainings were streamed there.

    Gives a sentence about what came of it, if there is one to say; whatever goes wrong is told there.
    """
    piece = sweep_piece(outcome)
    if settle(piece.spec)[0].mode != "online":
        return None
    try:
        if piece.is_there(present_of([piece], lambda: None).get(piece.who.run_id)):
            return None
        address = bring(piece, lambda _: None)
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        return f"W&B: table and page did not get there ({said}); `spadam sync {outcome.folder}` tries again"
    return f"at W&B: {address}"


def bring(piece: Piece, noted: Callable[[str], None]) -> str | None:
    """Upload ``piece``; gives its address. ``noted`` hears why something had to be left out.

    Raises :class:`UploadFailed` or ConnectionError when it did not arrive whole, OSError or ValueError when it cannot
    be read.
    """
    sent = upload(piece.spec, piece.who, partial(piece.show, noted=noted))
    if sent.complaint is not None and not piece.is_there(present_of([piece], lambda: None).get(piece.who.run_id)):
        raise UploadFailed(sent.complaint)
    return sent.address


def present_of(pieces: Iterable[Piece], told: Callable[[], None]) -> dict[str, Present]:
    """What the server has of ``pieces``, by run id; ``told`` is called after each answer. Raises ConnectionError."""
    by_spec: dict[TrackingSpec, list[str]] = {}
    for piece in pieces:
        by_spec.setdefault(piece.spec, []).append(piece.who.run_id)
    return {key: found for spec, ids in by_spec.items() for key, found in presence(spec, ids, told).items()}


def _training(spec: TrackingSpec, who: Identity, config: RunConfig, folder: Path, result: RunResult) -> Piece:
    def show(tracker: WandbTracker, noted: Callable[[str], None]) -> None:
        show_again(config, folder, result, tracker, noted, who)

    return Piece(spec, who, len(rows(folder / "metrics.jsonl")), {"status": outcome_of(result)["status"]}, show)


def _config(result: RunResult, folder: Path) -> RunConfig:
    return stored_config(Document(result.config, {}, str(folder / "result.json")))


def _cell(value: object) -> object:
    """A value as one cell holds it: a choice of a sweep may be a list."""
    return value if value is None or isinstance(value, bool | int | float | str) else strict_json(value)
