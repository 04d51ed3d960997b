"""Whether numbers of a run may be compared: its optimizer's with another's, its evaluation with its training."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from spadam.diagnostics.warned import Warned
from spadam.optim import OPTIMIZERS
from spadam.text import number

FEW = 0.05
"""Below this share of intermittent rows a comparison rests on very few of them."""

ALIKE = (0.95, 1.05)
"""L0 in evaluation over L0 in training, within which the model is judged by what it was trained for."""


def warn(all_rows_touched: bool, rows_intermittent: float) -> list[Warned]:
    """What a reader must know before comparing variants by this run.

    ``all_rows_touched``: every step since the beginning touched every row. ``rows_intermittent``: the metric of this
    name in the last report; NaN says nothing.
    """
    found = [Warned("all_rows_touched", all_rows_touched_text())] if all_rows_touched else []
    if rows_intermittent < FEW:
        text = (
            f"{rows_intermittent:.1%} of the rows were touched in 2-90 % of the steps: "
            "only these rows can tell variants apart"
        )
        found.append(Warned("few_intermittent_rows", text, {"rows_intermittent": rows_intermittent}))
    return found


def warn_of_codes(l0_train: float, l0_eval: float) -> list[Warned]:
    """What a reader must know before taking an evaluation for what the training came to.

    The numbers are the metrics of these names in the last report; NaN says nothing.
    """
    low, high = ALIKE
    if not (l0_eval < low * l0_train or l0_eval > high * l0_train):
        return []
    text = (
        f"a sample has {number(l0_eval, 3)} latents on in evaluation and had {number(l0_train, 3)} in training: the "
        "code that is judged is not the code that was trained"
    )
    return [Warned("l0_differs", text, {"l0_train": l0_train, "l0_eval": l0_eval})]


@cache
def all_rows_touched_text() -> str:
    """The warning of a run that touches every row in every step: which optimizers are one then, by what they say."""
    usual = [member for member in OPTIMIZERS if not any(key.is_required() for key in member.model_fields.values())]
    described = {member.model_fields["name"].default: member().when_all_touched() for member in usual}
    groups = [f"{', '.join(group[:-1])} and {group[-1]}" for group in alike(described)]
    first, *others = groups
    rest = "".join(f"; so are {group}" for group in others)
    return f"every row was touched in every step: {first} are one optimizer here{rest}"


def alike(described: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """The names of what is described alike, two or more at a time, the largest groups first."""
    groups: dict[str, list[str]] = {}
    for name, description in described.items():
        groups.setdefault(json.dumps(description, sort_keys=True), []).append(name)
    found = sorted(groups.values(), key=len, reverse=True)
    yield from (tuple(names) for names in found if len(names) > 1)
