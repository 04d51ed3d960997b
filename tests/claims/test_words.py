"""Verdicts in words: whatever was measured, they say who, by how much, how sure, and of how many."""

from typing import Any

import pytest

from spadam.claims.comparison import compare
from spadam.claims.judging import ALPHA, Case, judge
from spadam.claims.scale import Scale
from spadam.claims.words import asked, difference, sentence
from support.arms import ACCURACY, ERROR, arm, case, claim, errors


def test_a_supported_claim() -> None:
    said = sentence(judge([case("better", 0.95)])[0])
    assert said.startswith("a has 5.1 % less test/fvu than b (95 % interval -5.3 % to -4.9 %; 10 seeds)")


def test_a_factor_is_told_as_one() -> None:
    assert sentence(judge([case("worse", 5.0)])[0]).startswith("test/fvu of a is 4.9")


def test_points_of_accuracy() -> None:
    arms = (arm("a", [0.80, 0.81, 0.79]), arm("b", [0.75, 0.76, 0.75]))
    verdict = judge([Case(claim("better", metric="probe/test_accuracy", margin=0.005), ACCURACY, True, arms)])[0]
    assert sentence(verdict).startswith(
        "a has 4.67 points more probe/test_accuracy than b (95 % interval +3.23 to +6.1"
    )
    assert "3 seeds cannot give a sign-flip p below 0.05, however large the difference; 6 can" in sentence(verdict)


def test_one_variant() -> None:
    verdict = judge(
        [Case(claim("at_most", variants=("a",), bound=0.84), ACCURACY, True, (arm("a", [0.8, 0.81, 0.82]),))]
    )
    assert sentence(verdict[0]).startswith("a has a mean test/fvu of 0.81 (95 % interval 0.7852 to 0.8348; 3 seeds)")
    assert asked(verdict[0]) == "test/fvu of a at most 0.84"


def test_the_level_is_that_of_the_test() -> None:
    verdicts = judge([case("better", 0.95), case("better", 0.96)])
    assert any("97.5 % interval" in sentence(verdict) for verdict in verdicts)
    assert "90 % interval" in sentence(judge([case("equivalent", 1.0)])[0])


def test_identical() -> None:
    same = errors(1.0)[1]
    verdict = judge([Case(claim("equivalent"), ERROR, False, (arm("a", same), arm("b", same)))])[0]
    assert sentence(verdict) == "a and b have the same test/fvu to the last bit (10 seeds)"


def test_what_must_be_known_beside_it() -> None:
    first, second = errors(0.985, spread=0.03)
    lost = (arm("a", [float("inf"), *first[1:]], starts=(0.2,)), arm("b", second))
    verdict = judge([Case(claim("better"), ERROR, False, lost, looks=2, post_hoc=True)])[0]
    said = sentence(verdict)
    assert "seeds would settle it four times in five, if spread and mean stay" in said
    assert "1 of 10 trainings of a diverged (0.3 % to 44.5 %)" in said
    assert "look number 2 at it, so its level is divided by 2" in said
    assert said.endswith("post hoc: the claim was made when results were there already")


def test_what_is_missing() -> None:
    first, second = errors(0.9)
    waiting = (arm("a", first)._replace(planned=12), arm("b", second))
    assert sentence(judge([Case(claim("better"), ERROR, False, waiting)])[0]) == "20 of 22 trainings so far"


AGAINST: dict[str, Any] = {"variants": ("a",), "against": "train/fvu"}
"""What its training samples have, beside what its test samples have."""


def test_two_metrics_of_one_variant() -> None:
    mine, other = errors(1.1)
    arms = (arm("a", mine)._replace(planned=10), arm("a", other)._replace(planned=10))
    verdict = judge([Case(claim("worse", **AGAINST), ERROR, False, arms)])[0]
    assert sentence(verdict).startswith("test/fvu of a is 9.9 % more than its train/fvu (95 % interval")
    assert asked(verdict) == "test/fvu of a worse than its train/fvu by more than 1 %"
    assert sentence(judge([Case(claim("worse", **AGAINST), ERROR, False, (arm("a", mine),) * 2)])[0]) == (
        "test/fvu of a and its train/fvu are the same to the last bit (10 seeds)"
    )
    waiting = tuple(each._replace(planned=12) for each in arms)
    assert sentence(judge([Case(claim("worse", **AGAINST), ERROR, False, waiting)])[0]) == "10 of 12 trainings so far"


def test_two_metrics_of_two_variants() -> None:
    verdict = judge([Case(claim("at_most", bound=3.0, against="train/fvu"), ERROR, False, case("better", 4.0).arms)])[0]
    assert sentence(verdict).startswith("test/fvu of a is 3.9")
    assert " times train/fvu of b (95 % interval" in sentence(verdict)
    assert asked(verdict) == "test/fvu of a over train/fvu of b at most 3"
    assert verdict.answer == "refuted"


@pytest.mark.parametrize(
    ("kind", "more", "expected"),
    [
        ("worse", {}, "a worse than b in test/fvu by more than 1 %"),
        ("different", {}, "a and b differ in test/fvu by more than 1 %"),
        ("equivalent", {"margin": 0.02}, "a and b differ in test/fvu by less than 2 %"),
        ("at_least", {"bound": 2.0}, "test/fvu of a over that of b at least 2"),
    ],
)
def test_what_decides(kind: str, more: dict[str, float], expected: str) -> None:
    assert asked(judge([case(kind, 1.0, **more)], ALPHA)[0]) == expected  # type: ignore[arg-type]


def test_differences_for_a_table() -> None:
    def told(a: list[float], b: list[float], scale: Scale = ERROR, study: int | None = 0) -> str:
        return difference(compare(arm("a", a), arm("b", b), "m", scale, larger_is_better=False, study=study))

    assert told([0.2, 0.21, 0.22], [0.1, 0.1, 0.1]) == "×2.1 (×1.86 to ×2.36), 3 seeds"
    assert told([0.80, 0.81], [0.79, 0.79], ACCURACY, None) == "+1.5 (-4.85 to +7.85), 2 studies"
    assert told([0.8], [0.79], ACCURACY) == "+1, 1 seed"
    assert told([0.8, 0.7], [0.8, 0.7]) == "the same bits (2 seeds)"
