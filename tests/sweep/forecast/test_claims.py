"""What a plan says of claims: too few units for any verdict, and too few for the spread that was seen."""

from typing import Any

from spadam.sweep.forecast.claims import warn_of_claims
from spadam.sweep.outcome.progress import survey
from support.sweep_bench import Bench
from support.sweep_claims import trainer

CLAIM = {"says": "lazy is better", "variants": ["lazy", "adam"], "metric": "test/fvu", "kind": "better", "margin": 0.01}
AXES = {"optimizer.lr": {"low": 1e-6, "high": 1e2, "log": True}}


def said(bench: Bench, seeds: int, claims: int = 1, **changes: Any) -> list[str]:
    made = [{**CLAIM, "margin": 0.01 * (number + 1)} for number in range(claims)]
    bench.write({"repeat": {"seeds": seeds}, "claims": made, **changes}, space=AXES)
    sweep = bench.load()
    return [warned.text for warned in warn_of_claims(sweep, survey(sweep, None))]


def test_enough_seeds_need_no_word(bench: Bench) -> None:
    assert said(bench, 6) == []
    assert said(bench, 10, claims=3) == []


def test_a_test_that_cannot_succeed_is_told(bench: Bench) -> None:
    text = "5 seeds cannot support a claim: a sign-flip test needs 6 to fall below 0.05"
    assert said(bench, 5) == [text]
    assert said(bench, 6, claims=3) == [
        "6 seeds cannot support a claim: a sign-flip test needs 7 to fall below 0.017, the first level of 3 claims"
    ]


def test_studies_are_counted_for_claims_about_variants(bench: Bench) -> None:
    changes = {"claims": [{**CLAIM, "about": "variants"}, {**CLAIM, "about": "variants", "margin": 0.02}]}
    bench.write({"search": {"studies": 6}, "repeat": {"seeds": 1}, **changes})
    sweep = bench.load()
    texts = [warned.text for warned in warn_of_claims(sweep, survey(sweep, None))]
    assert texts == [
        "6 studies cannot support a claim: a sign-flip test needs 7 to fall below 0.025, the first level of 2 claims"
    ]


def test_what_the_spread_seen_would_need(bench: Bench) -> None:
    bench.write({"repeat": {"seeds": 6}, "claims": [CLAIM], "search": {"trials": 8}}, space=AXES)
    assert bench.run(trainer({}, spread=0.05)) == 0
    (warned,) = warn_of_claims(*bench.read())
    assert warned.code == "weak_claim"
    assert warned.numbers["planned"] == 6
    assert warned.numbers["needed"] > 100
    assert warned.variants == ("lazy", "adam")
    assert warned.text.startswith(
        "lazy is better: with the spread of 6 seeds so far, a difference as large as its margin"
    )
    bench.write({"repeat": {"seeds": 6}, "claims": [{**CLAIM, "margin": 0.5}], "search": {"trials": 8}}, space=AXES)
    assert list(warn_of_claims(*bench.read())) == []
