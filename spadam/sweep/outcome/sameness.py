"""Whether two variants are the same here, or nearly, whatever their names: what is known of it without a test."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search, value_of
from spadam.sweep.store.attempts import Record
from spadam.text import share

NEARLY = 0.99
"""From this share of rows touched in a step on, optimizers that differ only in other rows are nearly one."""

_ALL_TOUCHED, _FEW = "all_rows_touched", "few_intermittent_rows"
"""What trainings warn of."""


def ended(searches: Iterable[Search]) -> list[Record]:
    """The repeats of ``searches`` that are accepted."""
    return [record for search in searches for record in search.repeats if record.state == "accepted"]


def every_row_touched(repeats: Sequence[Record]) -> bool:
    """Whether every step of every training touched every row; of none it is not known."""
    return bool(repeats) and all(_warned(record, _ALL_TOUCHED) for record in repeats)


def setting(sweep: Sweep, search: Search) -> dict[str, Any] | None:
    """What a study has found, but for how its optimizer treats rows that are not touched; None before there is any."""
    variant = sweep.variants[search.variant]
    params = search.best.params(variant) if search.best is not None else None
    if search.best is None or params is None:
        return None
    config = variant.config(params, 0, search.best.gradient_rms)
    given = config.optimizer.model_dump(mode="json", include={"lr", "eps"})
    return {**config.facts(), "seed": 0, "optimizer": {**config.optimizer.when_all_touched(), **given}}


def whole(sweep: Sweep, searches: Sequence[Search]) -> dict[str, Any]:
    """The same of a variant, with what it searches."""
    variant = sweep.variants[searches[0].variant]
    config = variant.corners[0]
    space = {axis.name: axis.range.model_dump(mode="json") for axis in variant.axes}
    return {**config.facts(), "seed": 0, "optimizer": {**config.optimizer.when_all_touched()}, "space": space}


def as_text(found: dict[str, Any] | None) -> str | None:
    """What can be compared: equal for what is the same."""
    return None if found is None else json.dumps(found, sort_keys=True)


def caveats(sweep: Sweep, first: Sequence[Search], second: Sequence[Search]) -> Iterator[str]:
    """What keeps two variants from differing by much, in words, where it is not that they are the same."""
    records = ended((*first, *second))
    all_touched, touched = every_row_touched(records), _mean(records, "sparsity/rows_touched")
    if touched is not None and touched >= NEARLY:
        one, other = (
            setting(sweep, searches[0]) if len(searches) == 1 else whole(sweep, searches)
            for searches in (first, second)
        )
        assert one is not None, "what is repeated was found"
        assert other is not None, "what is repeated was found"
        where = f"a step touches {share(touched)} of the rows, and where it touches all"
        if one == other and not all_touched:
            yield f"{where} they are one algorithm"
        elif one != other and _but_for_epsilon(one) == _but_for_epsilon(other):
            yield f"{where} only the place of epsilon differs"
    if any(_warned(record, _FEW) for record in records) and not all_touched:
        shown = share(_mean(records, "sparsity/rows_intermittent"))
        yield f"{shown} of the rows are touched now and then, and only these can tell the two apart"


def _but_for_epsilon(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "optimizer": {key: value for key, value in found["optimizer"].items() if key != "epsilon"}}


def _warned(record: Record, code: str) -> bool:
    return any(warned.code == code for warned in record.warnings)


def _mean(records: Iterable[Record], metric: str) -> float | None:
    found = [value for record in records if (value := value_of(record, metric)) is not None]
    return math.fsum(found) / len(found) if found else None
