"""Warnings as records, and those of older results, which were sentences."""

import math

import pytest

from spadam.diagnostics.comparability import warn
from spadam.diagnostics.warned import Warned, read_warning


def test_a_record_is_read_as_it_was_written() -> None:
    warned = Warned("few_intermittent_rows", "4.0% of the rows", {"rows_intermittent": 0.04})
    assert warned.plain() == {
        "code": "few_intermittent_rows",
        "text": "4.0% of the rows",
        "numbers": {"rows_intermittent": 0.04},
    }
    assert read_warning(warned.plain()) == warned


@pytest.mark.parametrize(("all_touched", "share"), [(True, math.nan), (False, 0.0), (False, 0.049)])
def test_a_sentence_has_the_code_that_it_would_have_now(all_touched: bool, share: float) -> None:
    (now,) = warn(all_touched, share)
    assert read_warning(now.text)[:2] == now[:2]


def test_the_code_of_an_unknown_sentence_is_the_sentence() -> None:
    assert read_warning("something else")[:2] == ("something else", "something else")
