"""Sweeps as agents before this one began them: every slot a WAITING trial, from the start."""

from collections.abc import Mapping
from typing import Any

from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from spadam.sweep.search.slots import Slot, enumerate_point, search_slots
from spadam.sweep.store.connection import open_file
from support.sweep_bench import Bench


def enqueue(storage: BaseStorage, sweep: str, slot: Slot, params: Mapping[str, Any] | None) -> None:
    """Add an attempt at ``slot`` that waits, with its parameters where they are known."""
    name = f"{sweep}/{slot.variant}/" + (f"search-{slot.study}" if slot.phase == "search" else "repeat")
    try:
        study = storage.get_study_id_from_name(name)
    except KeyError:
        study = storage.create_new_study([StudyDirection.MINIMIZE], study_name=name)
    attributes: dict[str, Any] = {"slot": slot.id, "study": slot.study, "number": slot.number, "seed": slot.seed}
    if slot.point:
        attributes["point"] = slot.point
    fixed = {"fixed_params": dict(params or {})}
    waiting = create_trial(state=TrialState.WAITING, user_attrs=attributes, system_attrs=fixed)
    storage.create_new_trial(study, template_trial=waiting)


def fill(bench: Bench) -> None:
    """Enqueue every search slot of a sweep that has begun, twice where its number is odd."""
    sweep = bench.load()
    with open_file(bench.folder / "sweep.db") as storage:
        for name, variant in sweep.variants.items():
            for slot in search_slots(sweep, name):
                for _ in range(1 + slot.number % 2):
                    enqueue(storage, sweep.name, slot, enumerate_point(sweep.spec.search, variant, slot))
