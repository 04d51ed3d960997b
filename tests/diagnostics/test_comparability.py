"""When a reader is warned that variants cannot be told apart."""

import math

import pytest

from spadam.diagnostics.comparability import warn
from spadam.diagnostics.warned import Warned

ALL = (
    "every row was touched in every step: tf_sparse_adam, masked_adam and lazy_adam are one optimizer here; "
    "so are adam and row_clock_adam"
)


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0, math.nan])
def test_enough_intermittent_rows_need_no_word(share: float) -> None:
    assert warn(all_rows_touched=False, rows_intermittent=share) == []


def test_all_rows_touched_is_said_in_these_words() -> None:
    assert warn(all_rows_touched=True, rows_intermittent=math.nan) == [Warned("all_rows_touched", ALL)]
    assert warn(all_rows_touched=True, rows_intermittent=0.0)[0].text == ALL


def test_few_intermittent_rows_are_counted() -> None:
    (warned,) = warn(all_rows_touched=False, rows_intermittent=0.049)
    assert (warned.code, warned.numbers) == ("few_intermittent_rows", {"rows_intermittent": 0.049})
    share = "4.9% of the rows were touched in 2-90 % of the steps"
    assert warned.text == f"{share}: only these rows can tell variants apart"
