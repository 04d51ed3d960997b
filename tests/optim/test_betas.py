"""Two betas, given together or each by itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from spadam.config import RunConfig
from spadam.optim import OPTIMIZERS, BaseOptimizerSpec
from spadam.spec import Document, InputError, validate

MEMBERS = [member for member in OPTIMIZERS if "betas" in member.model_fields]


def config(**optimizer: Any) -> RunConfig:
    return validate(RunConfig, Document({"data": {"name": "digits"}, "optimizer": optimizer}, {}, "x.yaml"))


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize(
    ("given", "betas"),
    [
        ({}, (0.9, 0.999)),
        ({"beta1": 0.5}, (0.5, 0.999)),
        ({"beta2": 0.99}, (0.9, 0.99)),
        ({"beta1": 0, "beta2": 0.5}, (0.0, 0.5)),
        ({"betas": [0.8, 0.95]}, (0.8, 0.95)),
        ({"betas": [0.8, 0.95], "beta1": 0.5}, (0.5, 0.95)),
        ({"betas": [0.8, 0.95], "beta2": None}, (0.8, 0.95)),
    ],
)
def test_each_stands_instead_of_one_of_the_two(
    member: type[BaseOptimizerSpec], given: dict[str, Any], betas: tuple[float, float]
) -> None:
    name = member.model_fields["name"].default
    found = config(name=name, **given)
    assert found.optimizer.build([torch.nn.Parameter(torch.ones(1))]).defaults["betas"] == betas
    assert found == config(name=name, betas=list(betas))
    assert found.identity() == config(name=name, betas=list(betas)).identity()
    assert found.plain()["optimizer"].keys().isdisjoint({"beta1", "beta2"})


@pytest.mark.parametrize(
    ("optimizer", "argument", "rule"),
    [
        ({"beta1": 1.0}, "optimizer.beta1", "less than 1"),
        ({"beta2": -0.1}, "optimizer.beta2", "greater than or equal to 0"),
        ({"beta1": "0.9"}, "optimizer.beta1", "a number"),
        ({"beta1": True}, "optimizer.beta1", "a number"),
        ({"beta1": [0.9]}, "optimizer.beta1", "a number"),
        ({"beta1": 0.5, "betas": [0.9]}, "optimizer.betas", "more values"),
        ({"beta1": 0.5, "betas": [0.9, 1.0]}, "optimizer.betas", "each beta must be in"),
        ({"beta1": 0.5, "betas": 0.9}, "optimizer.betas", "a list"),
        ({"name": "sgd", "beta1": 0.5}, "optimizer.beta1", "not known"),
    ],
)
def test_what_is_none_is_told_of_where_it_stands(optimizer: dict[str, Any], argument: str, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        config(**{"name": "lazy_adam", **optimizer})
    assert caught.value.argument.startswith(argument)
    assert rule in caught.value.rule
