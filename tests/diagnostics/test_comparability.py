"""When a reader is warned that variants cannot be told apart."""

import math

import pytest

from spadam.diagnostics.comparability import warn, warn_of_codes
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


@pytest.mark.parametrize(
    ("l0_train", "l0_eval", "told"),
    [(8, 8, False), (8, 7.6, False), (8, 8.4, False), (8, 7.59, True), (8, 8.41, True), (0, 3, True), (0, 0, False)],
)
def test_another_code_than_the_trained_one_is_told(l0_train: float, l0_eval: float, told: bool) -> None:
    found = warn_of_codes(l0_train, l0_eval)
    assert [(warned.code, warned.numbers) for warned in found] == (
        [("l0_differs", {"l0_train": l0_train, "l0_eval": l0_eval})] if told else []
    )


@pytest.mark.parametrize(("l0_train", "l0_eval"), [(math.nan, 8), (8, math.nan), (math.nan, math.nan)])
def test_what_is_not_known_of_a_code_is_no_warning(l0_train: float, l0_eval: float) -> None:
    assert warn_of_codes(l0_train, l0_eval) == []


def test_the_numbers_of_both_codes_stand_in_the_text() -> None:
    (warned,) = warn_of_codes(237, 25)
    assert warned.text == (
        "a sample has 25 latents on in evaluation and had 237 in training: the code that is judged is not the code "
        "that was trained"
    )
