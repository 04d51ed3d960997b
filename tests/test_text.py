"""How an interval is written."""

import pytest

from spadam.statistics.interval import Estimate, estimate
from spadam.text import interval_text


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, "–"),
        (Estimate(0.21534, 0.00123, 5), "0.2153 ± 0.0012 (n 5)"),
        (Estimate(0.21534, 0.123, 12), "0.22 ± 0.12 (n 12)"),
        (Estimate(1234.5, 67.8, 4), "1234 ± 68 (n 4 of 5: too few)"),
        (Estimate(1.0e-9, 2.0e-10, 3), "1e-9 ± 2e-10 (n 3 of 5: too few)"),
        (Estimate(0.5, None, 1), "0.5 (n 1 of 5: too few)"),
        (Estimate(0.5, 0.0, 5), "0.5 ± 0 (n 5)"),
    ],
)
def test_an_interval_says_of_how_many_seeds_it_is(found: Estimate | None, text: str) -> None:
    assert interval_text(found, 5) == text


@pytest.mark.parametrize(("n", "few"), [(1, True), (2, True), (4, True), (5, False), (12, False)])
def test_under_five_seeds_are_too_few(n: int, few: bool) -> None:
    found = estimate([0.5 + 0.01 * k for k in range(n)])
    assert found is not None
    assert found.few is few
    assert ("too few" in interval_text(found)) is few
