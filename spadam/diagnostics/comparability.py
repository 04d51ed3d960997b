"""Whether a run can tell apart optimizers that differ in what they do to rows that a step does not touch."""

from __future__ import annotations

ALL_ROWS_TOUCHED = (
    "every row was touched in every step: tf_sparse_adam, masked_adam and lazy_adam are one optimizer here; "
    "so are adam and row_clock_adam"
)

FEW = 0.05
"""Below this share of intermittent rows a comparison rests on very few of them."""


def warnings(all_rows_touched: bool, rows_intermittent: float) -> list[str]:
    """What a reader must know before comparing variants by this run.

    ``all_rows_touched``: every step since the beginning touched every row. ``rows_intermittent``: the metric of this
    name in the last report; NaN says nothing.
    """
    found = [ALL_ROWS_TOUCHED] if all_rows_touched else []
    if rows_intermittent < FEW:
        found.append(
            f"{rows_intermittent:.1%} of the rows were touched in 2-90 % of the steps: "
            "only these rows can tell variants apart"
        )
    return found
