"""An lr by the number of latents: in a configuration, and as the centre of a range."""

from __future__ import annotations

import math
from typing import Any

import pytest

from spadam.config import RunConfig
from spadam.optim import LazyAdamSpec, ScaledLr
from spadam.spec import Document, InputError, validate

RULE = {"rule": "sqrt_n", "at": 2e-4, "n": 16384}


def config(lr: Any, name: str = "lazy_adam", **rest: Any) -> RunConfig:
    data = {"data": {"name": "digits"}, "optimizer": {"name": name, "lr": lr}, **rest}
    return validate(RunConfig, Document(data, {("optimizer", "lr"): 4}, "x.yaml"))


@pytest.mark.parametrize(("latents", "lr"), [(16384, 2e-4), (4096, 4e-4), (65536, 1e-4), (1000, 2e-4 * 16.384**0.5)])
def test_it_scales_as_one_over_the_root(latents: int, lr: float) -> None:
    assert math.isclose(ScaledLr(at=2e-4).of(latents), lr, rel_tol=1e-15)
    found = config(RULE, model={"latents": latents})
    assert math.isclose(found.optimizer.lr, lr, rel_tol=1e-15)
    again = validate(RunConfig, Document(found.plain(), {}, "again"))
    assert again == found
    assert again.identity() == config(found.optimizer.lr, model={"latents": latents}).identity()


def test_a_model_without_a_number_has_the_default_one() -> None:
    assert config(RULE).optimizer.lr == ScaledLr(at=2e-4).of(1000)
    assert config({"at": 2e-4}).optimizer.lr == config(RULE).optimizer.lr
    assert config(RULE, name="schedule_free").optimizer.lr == config(RULE).optimizer.lr


@pytest.mark.parametrize(
    ("lr", "argument", "rule"),
    [
        ({"rule": "linear", "at": 1.0}, "optimizer.lr.rule", "'sqrt_n'"),
        ({"rule": "sqrt_n"}, "optimizer.lr.at", "required"),
        ({"at": 0}, "optimizer.lr.at", "greater than 0"),
        ({"at": "2e-4"}, "optimizer.lr.at", "a number"),
        ({"at": 1.0, "n": 0}, "optimizer.lr.n", "greater than 0"),
        ({"at": 1.0, "n": 1.5}, "optimizer.lr.n", "whole number"),
        ({"at": 1.0, "latents": 8}, "optimizer.lr.latents", "not known"),
        ([1.0], "optimizer.lr", "a number"),
    ],
)
def test_what_is_no_rule_is_told_of_where_it_stands(lr: Any, argument: str, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        config(lr)
    assert (caught.value.argument, caught.value.where) == (argument, "x.yaml:4")
    assert rule in caught.value.rule


def test_what_has_no_latents_has_no_such_lr() -> None:
    with pytest.raises(InputError, match="a configuration whose model has latents"):
        config(RULE, model={"name": "custom", "path": "a.B"})
    with pytest.raises(ValueError, match="a configuration whose model has latents"):
        LazyAdamSpec.model_validate({"lr": RULE})


def test_a_wrong_number_of_latents_is_what_is_told() -> None:
    with pytest.raises(InputError) as caught:
        config(RULE, model={"latents": "many"})
    assert [mistake.argument for mistake in caught.value.mistakes] == ["model.latents"]
