"""What was stored by a release that had fewer keys means what was done then."""

from typing import Any

import pytest

from spadam.config import RunConfig, stored_config
from spadam.spec import Document, validate
from spadam.spec.earlier import complete, complete_sweep, meant


def document(data: dict[str, Any]) -> Document:
    return Document(data, {}, "test")


WHOLE = validate(RunConfig, document({"data": {"name": "digits"}, "optimizer": {"name": "adam"}})).plain()


def test_a_whole_configuration_is_left_alone() -> None:
    assert complete(WHOLE) == WHOLE
    assert stored_config(document(WHOLE)).plain() == WHOLE


def test_what_it_leaves_unsaid_is_what_was_done() -> None:
    old = {**WHOLE, "model": {key: value for key, value in WHOLE["model"].items() if key != "pre_bias"}}
    assert stored_config(document(old)).plain() == {**WHOLE, "model": {**WHOLE["model"], "pre_bias": "none"}}
    assert "pre_bias" not in old["model"], "it is not changed in place"


def test_a_key_belongs_to_who_has_it() -> None:
    batch_top_k, top_k = (
        {**WHOLE, "model": {**WHOLE["model"], "rule": {"name": name, "k": 3}}} for name in ("batch_top_k", "top_k")
    )
    assert complete(batch_top_k)["model"]["rule"] == {"name": "batch_top_k", "k": 3, "threshold": "mean"}
    assert complete(top_k) == top_k


def test_facts_say_nothing_of_what_is_as_it_was_then() -> None:
    model = {key: value for key, value in WHOLE["model"].items() if key != "pre_bias"}
    old = stored_config(document({**WHOLE, "model": model}))
    assert "pre_bias" not in old.facts()["model"]
    assert "evaluate_every" not in old.facts()["trainer"]
    assert stored_config(document(WHOLE)).facts()["model"]["pre_bias"] == "mean"
    assert old.identity() != stored_config(document(WHOLE)).identity()


def test_a_model_of_another_kind_has_no_such_key() -> None:
    mine = {**WHOLE, "model": {"name": "custom", "path": "a.b.C"}}
    assert complete(mine) == mine


def test_every_entry_is_a_key_of_today() -> None:
    assert meant(("model", "pre_bias")) == "none"
    assert meant(("model", "latents")) is None
    assert complete({})["model"].keys() <= WHOLE["model"].keys()


@pytest.mark.parametrize(
    ("config", "space", "expected"),
    [
        ({"model": {"latents": 4}}, {}, {"latents": 4, "pre_bias": "none"}),
        ({"model": {"latents": 4, "pre_bias": "mean"}}, {}, {"latents": 4}),  # stored by a release that had it
        ({"model": {"latents": 4}}, {"model.pre_bias": {}}, {"latents": 4}),  # it is searched
    ],
)
def test_the_file_of_a_sweep(config: dict[str, Any], space: dict[str, Any], expected: dict[str, Any]) -> None:
    spec = {"base": {"model": {"latents": 4}}, "variants": {"a": None, "b": {"model": {"latents": 8}}}}
    facts = {"variants": {name: {"config": config, "space": space} for name in "ab"}}
    assert complete_sweep(spec, facts) == {**spec, "base": {"model": expected}}


@pytest.mark.parametrize(
    ("data", "rule", "identity"),
    [
        (
            {"name": "digits"},
            {"name": "top_k"},
            "aed6ddbdb4c97826a69fab69b662e7c17837ec6a42f22f6544f0031fdd775679",
        ),
        (
            {"name": "array", "file": "x.npy"},
            {"name": "k_winners", "k": 5},
            "2d2b676266698915c54ae2e0cd944c4fa77db82f913a80d145085559c0a8c355",
        ),
    ],
)
def test_identities_are_those_that_an_earlier_release_gave(
    data: dict[str, Any], rule: dict[str, Any], identity: str
) -> None:
    """The ids of runs at W&B hold them: what was shown once must be found again."""
    model = {"rule": rule, "pre_bias": "none"}
    config = validate(RunConfig, document({"data": data, "model": model, "optimizer": {"name": "lazy_adam"}}))
    assert config.identity() == identity
