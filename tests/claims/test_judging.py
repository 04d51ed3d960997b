"""Verdicts on made measurements: each answer, where it turns, and what keeps it from being given."""

import math

import numpy as np
import pytest

from spadam.claims.arm import DIVERGED, Arm
from spadam.claims.judging import Case, judge
from spadam.claims.judging import differences as differences_of
from spadam.claims.spec import Kind
from spadam.claims.verdict import Verdict
from spadam.statistics.paired import interval, p_sign_flip
from spadam.statistics.power import power
from support.arms import ACCURACY, ERROR, N, arm, case, claim, errors


def differences(one: Case) -> dict[int, float]:
    return differences_of(one.arms, one.scale, one.larger_is_better)


def answer(one: Case) -> Verdict:
    return judge([one])[0]


@pytest.mark.parametrize(
    ("kind", "factor", "expected"),
    [
        ("better", 0.95, "supported"),
        ("better", 1.0, "refuted"),
        ("better", 1.05, "refuted"),
        ("better", 0.99, "inconclusive"),
        ("worse", 1.05, "supported"),
        ("worse", 1.0, "refuted"),
        ("worse", 0.95, "refuted"),
        ("worse", 1.01, "inconclusive"),
        ("equivalent", 1.0, "supported"),
        ("equivalent", 1.05, "refuted"),
        ("equivalent", 0.95, "refuted"),
        ("equivalent", 1.01, "inconclusive"),
        ("different", 1.05, "supported"),
        ("different", 0.95, "supported"),
        ("different", 1.0, "refuted"),
        ("different", 0.99, "inconclusive"),
    ],
)
def test_each_kind_of_claim(kind: Kind, factor: float, expected: str) -> None:
    verdict = answer(case(kind, factor))
    assert verdict.answer == expected
    assert verdict.holds == {"supported": True, "refuted": False}.get(expected)
    assert verdict.effect == pytest.approx(math.log(factor), abs=0.003)
    assert verdict.n == N


@pytest.mark.parametrize(
    ("kind", "bound", "expected"),
    [
        ("at_most", 0.7, "supported"),
        ("at_most", 0.5, "refuted"),
        ("at_least", 0.5, "supported"),
        ("at_least", 0.7, "refuted"),
        ("at_most", 0.6, "inconclusive"),
    ],
)
def test_a_ratio_against_a_bound(kind: Kind, bound: float, expected: str) -> None:
    assert answer(case(kind, 0.6, bound=bound)).answer == expected


@pytest.mark.parametrize(("kind", "bound", "expected"), [("at_most", 0.84, "supported"), ("at_least", 0.84, "refuted")])
def test_one_variant_against_a_bound(kind: Kind, bound: float, expected: str) -> None:
    mine = arm("a", [0.80, 0.81, 0.82, 0.80, 0.81, 0.82, 0.81, 0.80])
    verdict = answer(Case(claim(kind, variants=("a",), bound=bound), ACCURACY, True, (mine,)))
    assert (verdict.answer, verdict.effect) == (expected, pytest.approx(0.80875))


@pytest.mark.parametrize(("kind", "expected"), [("better", "supported"), ("worse", "refuted")])
def test_where_large_is_good_better_is_more(kind: Kind, expected: str) -> None:
    rng = np.random.default_rng(0)
    second = rng.normal(0.8, 0.01, N)
    arms = (arm("a", list(second + rng.normal(0.02, 0.002, N))), arm("b", list(second)))
    verdict = answer(Case(claim(kind, margin=0.005, metric="probe/test_accuracy"), ACCURACY, True, arms))
    assert verdict.answer == expected
    assert verdict.effect == pytest.approx(0.02, abs=0.002)


def test_the_interval_is_of_the_paired_differences_at_the_level_of_the_test() -> None:
    one = case("better", 0.95)
    found = [math.log(a / b) for a, b in zip(*errors(0.95), strict=True)]
    verdict = answer(one)
    expected = interval(found, 0.95)
    assert (verdict.effect, verdict.low, verdict.high) == pytest.approx(expected[:3])
    assert (verdict.level, verdict.alpha) == (pytest.approx(0.95), pytest.approx(0.05))
    assert verdict.p is not None
    assert verdict.p >= p_sign_flip(found, -math.log1p(0.01)) - 1e-12


def test_the_interval_of_an_equivalence_has_twice_the_error() -> None:
    verdict = answer(case("equivalent", 1.0))
    found = list(differences(case("equivalent", 1.0)).values())
    assert verdict.level == pytest.approx(0.90)
    assert (verdict.low, verdict.high) == pytest.approx(interval(found, 0.90)[1:3])


@pytest.mark.parametrize(("n", "expected"), [(5, "inconclusive"), (6, "supported")])
def test_five_seeds_cannot_support_whatever_they_show(n: int, expected: str) -> None:
    verdict = answer(case("better", 0.5, n))
    assert verdict.answer == expected
    if expected == "inconclusive":
        assert verdict.reason.startswith("5 seeds cannot give a sign-flip p below 0.05")
        assert verdict.needed == 6


def test_five_seeds_can_refute() -> None:
    assert answer(case("better", 2.0, 5)).answer == "refuted"


def test_claims_share_one_chance_of_error() -> None:
    alone = answer(case("better", 0.95, 6))
    together = judge([case("better", 0.95, 6), *(case("better", 0.99) for _ in range(3))])
    assert alone.answer == "supported"
    assert together[0].answer == "inconclusive"  # 2^-5 is above .05 / 4
    assert "7" not in together[0].reason
    assert "8 can" in together[0].reason
    assert sorted(one.alpha or 0 for one in together) == pytest.approx([0.05 / 4, 0.05 / 3, 0.05 / 2, 0.05])


def test_what_is_known_without_a_test_takes_no_part_of_it() -> None:
    same = errors(1.0)[1]
    twins = Case(claim("equivalent"), ERROR, False, (arm("a", same), arm("b", same)))
    assert judge([case("better", 0.95, 6), *[twins] * 5])[0].answer == "supported"


def test_looking_again_costs() -> None:
    first, again = case("better", 0.95, 6), case("better", 0.95, 6)._replace(looks=2)
    assert answer(first).answer == "supported"
    verdict = answer(again)
    assert (verdict.answer, verdict.looks, verdict.alpha) == ("inconclusive", 2, pytest.approx(0.025))
    assert verdict.level == pytest.approx(0.975)


@pytest.mark.parametrize(
    ("kind", "more", "holds"),
    [
        ("equivalent", {}, True),
        ("better", {}, False),
        ("worse", {}, False),
        ("different", {}, False),
        ("at_most", {"bound": 1.0}, True),
        ("at_most", {"bound": 0.9}, False),
        ("at_least", {"bound": 0.9}, True),
    ],
)
def test_the_same_bits_are_identical(kind: Kind, more: dict[str, float], holds: bool) -> None:
    same = errors(1.0)[1]
    verdict = answer(Case(claim(kind, **more), ERROR, False, (arm("a", same), arm("b", list(same)))))
    assert (verdict.answer, verdict.holds, verdict.effect, verdict.n) == ("identical", holds, 0.0, N)


def test_one_bit_is_not_identical() -> None:
    same = errors(1.0)[1]
    nearly = [math.nextafter(same[0], 1), *same[1:]]
    verdict = answer(Case(claim("equivalent"), ERROR, False, (arm("a", nearly), arm("b", same))))
    assert verdict.answer == "supported"


def test_one_algorithm_is_the_same_by_construction() -> None:
    first, second = errors(1.05)
    arms = (arm("a", first, alone="adam"), arm("b", second, alone="adam"))
    verdict = answer(Case(claim("better"), ERROR, False, arms))
    assert (verdict.answer, verdict.holds) == ("same_by_construction", False)
    others = (arms[0], arm("b", second, alone="another"))
    assert answer(Case(claim("worse"), ERROR, False, others)).answer == "supported"
    unknown = (arm("a", first), arm("b", second))
    assert answer(Case(claim("worse"), ERROR, False, unknown)).answer == "supported"


def test_nothing_is_said_of_what_is_blocked() -> None:
    first, second = errors(0.5)
    arms = (arm("a", first, blocked="the best lies at a bound"), arm("b", second))
    verdict = answer(Case(claim("better"), ERROR, False, arms))
    assert (verdict.answer, verdict.holds) == ("inconclusive", None)
    assert verdict.reason == "a: the best lies at a bound"


def test_nothing_is_said_before_all_is_there() -> None:
    first, second = errors(0.5)
    waiting = arm("a", first)._replace(planned=N + 2)
    verdict = answer(Case(claim("better"), ERROR, False, (waiting, arm("b", second))))
    assert (verdict.answer, verdict.reason) == ("inconclusive", "20 of 22 trainings so far")


def test_what_diverged_counts_as_the_worst_and_is_told() -> None:
    first, second = errors(0.5)
    lost = (arm("a", [DIVERGED, *first[1:]], starts=(3.0,)), arm("b", second))
    verdict = answer(Case(claim("better"), ERROR, False, lost))
    assert differences(Case(claim("better"), ERROR, False, lost))[10_000] == pytest.approx(math.log(3.0 / second[0]))
    assert verdict.answer == "inconclusive"
    assert list(verdict.diverged) == ["a"]
    assert verdict.diverged["a"][:1] == (0.1,)
    assert verdict.diverged["a"].high == pytest.approx(0.445, abs=0.001)


def test_what_diverged_never_counts_as_better_than_the_worst_that_ended() -> None:
    first, second = errors(1.0)
    one = Case(claim("better"), ERROR, False, (arm("a", [DIVERGED, *first[1:]], starts=(1e-9,)), arm("b", second)))
    assert differences(one)[10_000] == pytest.approx(math.log(max(*first[1:], *second) / second[0]))
    accurate = Case(claim("better"), ACCURACY, True, (arm("a", [DIVERGED, 0.8]), arm("b", [0.9, 0.7])))
    assert differences(accurate)[10_000] == pytest.approx(0.7 - 0.9)


def test_where_anything_diverged_nothing_is_equivalent() -> None:
    second = [0.2, *errors(1.0)[1][1:]]
    first = [DIVERGED, *errors(1.0)[0][1:]]
    verdict = answer(Case(claim("equivalent"), ERROR, False, (arm("a", first), arm("b", second))))
    assert (verdict.answer, verdict.reason) == (
        "inconclusive",
        "trainings diverged, so they are not called equivalent",
    )


def test_a_unit_without_a_value_is_left_out() -> None:
    first, second = errors(0.9)
    verdict = answer(Case(claim("better"), ERROR, False, (arm("a", [None, *first[1:]]), arm("b", second))))
    assert (verdict.answer, verdict.n) == ("supported", N - 1)
    none = answer(Case(claim("better"), ERROR, False, (arm("a", [None] * N), arm("b", second))))
    assert none.reason == "no two of their trainings have a test/fvu that can be compared"
    zero = answer(Case(claim("better"), ERROR, False, (arm("a", [0.0] * N), arm("b", second))))
    assert zero.reason == none.reason


def test_a_study_is_the_mean_of_its_repeats() -> None:
    spec = claim("better", about="variants")
    first = Arm("a", {study: [0.1, 0.2] for study in range(6)}, 12)
    second = Arm("b", {study: [0.2, 0.4] for study in range(6)}, 12)
    one = Case(spec, ERROR, False, (first, second))
    assert differences(one) == pytest.approx({study: math.log(0.5) for study in range(6)})
    assert (answer(one).answer, answer(one).n) == ("supported", 6)


def test_what_is_inconclusive_says_how_many_units_would_settle_it() -> None:
    def noisy(n: int) -> Case:
        """Two per cent better on average, with a spread of three: known exactly, so that n is."""
        noise = np.random.default_rng(n).normal(size=n)
        ratios = np.exp(-0.02 + 0.03 * (noise - noise.mean()) / noise.std(ddof=1))
        return Case(claim("better"), ERROR, False, (arm("a", list(0.1 * ratios)), arm("b", [0.1] * n)))

    verdict = answer(noisy(N))
    assert verdict.answer == "inconclusive"
    assert verdict.needed is not None
    assert N < verdict.needed < 500
    assert power(verdict.needed, 0.02 - math.log1p(0.01), 0.03, 0.05) == pytest.approx(0.8, abs=0.01)
    assert answer(noisy(2 * verdict.needed)).answer == "supported"


def test_json_holds_plain_finite_values() -> None:
    import json

    verdicts = judge([case("better", 0.95), case("equivalent", 1.0), case("better", 0.9, 1)])
    told = json.loads(json.dumps([verdict.as_json() for verdict in verdicts], allow_nan=False))
    assert told[0]["verdict"] == "supported"
    assert told[0]["interval"] == [verdicts[0].low, verdicts[0].high]
    assert (told[2]["verdict"], told[2]["interval"], told[2]["n"]) == ("inconclusive", [None, None], 1)
