"""Claims that no sweep can answer, and comparisons with nobody: refused, before anything is trained or read."""

from typing import Any

import pytest

from spadam.spec import InputError
from support.sweep_bench import Bench

CLAIM = {"says": "lazy is better", "variants": ["lazy", "adam"], "metric": "test/fvu", "kind": "better", "margin": 0.01}


def refused(bench: Bench, **changes: Any) -> InputError:
    bench.write(changes)
    with pytest.raises(InputError) as caught:
        bench.run()
    assert f"{bench.spec}:" in caught.value.where
    assert not bench.out.exists()
    return caught.value


def claim(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**CLAIM, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "key", "rule", "remedy"),
    [
        ({"margin": None}, "margin", "without a margin any difference is one", "0.01 is one per cent"),
        ({"margin": 0}, "margin", "greater than 0", ""),
        ({"margin": -0.01}, "margin", "greater than 0", ""),
        ({"kind": "beter"}, "kind", "better", ""),
        ({"kind": "at_most"}, "margin", "at_most is held against a bound", "write it as `bound`"),
        ({"kind": "at_most", "margin": None}, "bound", "at_most needs what it is held against", "bound: 0.2"),
        ({"bound": 0.2}, "bound", "only at_least and at_most have a bound", "remove it"),
        ({"kind": "at_least", "margin": None, "bound": -1}, "bound", "ratio, which is above 0", "such as 0.7"),
        ({"variants": ["lazy"]}, "variants", "better compares two variants", "name the other one"),
        ({"variants": ["lazy", "lazy"]}, "variants", "compared with another", "name another"),
        ({"variants": ["lazy", "adamw"]}, "variants", "the sweep has no such variant", "adam, lazy"),
        ({"variants": []}, "variants", "1", ""),
        ({"variants": ["lazy", "adam", "sgd"]}, "variants", "2", ""),
        ({"variants": "lazy"}, "variants", "must be a list", ""),
        ({"metric": "test/fuv"}, "metric", "no metric has this name", "did you mean test/fvu?"),
        ({"metric": "sparsity/density_histogram"}, "metric", "a claim is about one number", "another metric"),
        ({"variants": ["lazy"], "against": "test/fvu"}, "against", "it is the metric itself", "name another"),
        ({"against": "test/fuv"}, "against", "no metric has this name", "did you mean test/fvu?"),
        ({"against": "sparsity/dead"}, "against", "in share, and test/fvu in 1", "of the same unit"),
        ({"against": "sparsity/density_histogram"}, "against", "a claim is about one number", "another metric"),
        (
            {"metric": "sparsity/l0_eval"},
            "kind",
            "whether much or little of sparsity/l0_eval is good",
            "write different",
        ),
        ({"about": "variants"}, "about", "independent searches, at least 6", "search.studies: 6"),
        ({"about": "sweeps"}, "about", "settings", ""),
        ({"says": ""}, "says", "1", ""),
        ({"say": "x"}, "say", "", "did you mean says?"),
    ],
)
def test_a_claim_that_cannot_be_answered(
    bench: Bench, changes: dict[str, Any], key: str, rule: str, remedy: str
) -> None:
    error = refused(bench, claims=[claim(**changes)])
    assert error.argument == f"claims.0.{key}"
    assert rule in error.rule
    assert remedy in error.remedy


def test_what_the_trainings_never_measure_decides_on_nothing(bench: Bench) -> None:
    error = refused(bench, base={"probe": None}, claims=[claim(metric="probe/test_accuracy")])
    assert (error.argument, error.rule) == ("claims.0.metric", "variant lazy has no probe")


def test_all_that_is_wrong_is_told_at_once(bench: Bench) -> None:
    error = refused(bench, claims=[claim(metric="val/x"), claim(variants=["lazy", "sgd"])])
    assert [error.argument, *(other.argument for other in error.others)] == ["claims.0.metric", "claims.1.variants"]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"repeat": {"seeds": 0}}, "judged by repeats, and repeat.seeds is 0"),
        ({"repeat": {"seeds": 1}}, "judged by repeats, and repeat.seeds is 1"),
        ({"search": {"studies": 2}}, "a setting of its own"),
        ({"objective": {"metric": None, "direction": None, "pareto": ["val/fvu", "sparsity/l0_eval"]}}, "a front"),
    ],
)
def test_a_sweep_that_cannot_answer(bench: Bench, changes: dict[str, Any], rule: str) -> None:
    if "objective" in changes:
        bench.write({"claims": [claim()]}, objective={"pareto": ["val/fvu", "sparsity/l0_eval"]})
        with pytest.raises(InputError) as caught:
            bench.load()
        assert rule in caught.value.rule
    else:
        assert rule in refused(bench, claims=[claim()], **changes).rule


def test_one_claim_is_made_once(bench: Bench) -> None:
    error = refused(bench, claims=[claim(), claim(says="in other words")])
    assert (error.argument, error.rule) == ("claims.1.says", "it decides on the same as claims.0")
    bench.write({"claims": [claim(), claim(margin=0.02), claim(kind="worse")]})
    assert len(bench.load().spec.claims) == 3


def test_everybody_is_compared_with_somebody(bench: Bench) -> None:
    assert refused(bench, compare={"to": "sgd"}).argument == "compare.to"
    bench.write()
    assert bench.load().reference == "adam"
    bench.write({"compare": {"to": "lazy"}})
    assert bench.load().reference == "lazy"
