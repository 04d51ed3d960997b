"""Numbers for people, and axes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadam.report.axis import Scale, quantile, ticks
from spadam.statistics.interval import Estimate
from spadam.text import interval, number

POSITIVE = st.floats(1e-12, 1e12)


@given(POSITIVE, st.floats(1.001, 1e12))
def test_a_logarithmic_axis_has_a_few_round_ticks_inside(low: float, factor: float) -> None:
    high = low * factor
    found = ticks(low, high)
    assert 1 <= len(found) <= 6
    assert found == sorted(set(found))
    assert all(low * (1 - 1e-9) <= value <= high * (1 + 1e-9) for value in found)


def test_ticks_are_powers_of_ten_where_there_is_room_for_no_more() -> None:
    assert ticks(9e-5, 0.11) == [1e-4, 1e-3, 1e-2, 1e-1]
    assert ticks(0.2, 3.0) == [0.3, 1.0, 3.0]
    labels = Scale(1e-10, 1e-2, True).axis("x")["ticktext"]
    assert labels[0] == "10⁻¹⁰"
    assert labels[-1] == "0.01"


@given(st.lists(POSITIVE, min_size=1, max_size=9), st.sampled_from([None, True, False]))
def test_a_scale_holds_its_values_and_share_undoes_at(values: list[float], log: bool | None) -> None:
    scale = Scale.over(values, log=log)
    assert scale.low <= min(values)
    assert max(values) <= scale.high
    assert scale.low < scale.high
    for share in (0.0, 0.3, 1.0):
        assert scale.share(scale.at(share)) == pytest.approx(share, abs=1e-6)


def test_a_scale_is_logarithmic_over_a_decade_of_positive_values_only() -> None:
    assert Scale.over([1, 11]).log
    assert not Scale.over([1, 9]).log
    assert not Scale.over([0, 1e6]).log
    assert not Scale.over([-1, 5], log=True).log
    assert Scale.over([]) == Scale.over([0.0, 1.0])


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.00012346, "0.0001235"), (1.5e-8, "1.5e-8"), (3, "3"), (True, "True"), ("a", "a"), (2e30, "2e30")],
)
def test_numbers_are_short(value: object, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (None, "–"),
        (Estimate(0.21534, 0.00123, 3), "0.2153 ± 0.0012"),
        (Estimate(0.21534, 0.123, 3), "0.22 ± 0.12"),
        (Estimate(1234.5, 67.8, 3), "1234 ± 68"),
        (Estimate(1.0e-9, 2.0e-10, 3), "1e-9 ± 2e-10"),
        (Estimate(0.5, None, 1), "0.5 (1 of 3)"),
        (Estimate(0.5, 0.0, 3), "0.5"),
    ],
)
def test_an_interval_has_the_decimals_of_its_half(estimate: Estimate | None, text: str) -> None:
    assert interval(estimate, 3) == text


def test_a_quantile_is_one_of_the_values() -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0], 0.75) == 4.0
    assert quantile([5.0], 0.25) == 5.0
    assert math.isclose(quantile(list(range(100)), 0.25), 25)
