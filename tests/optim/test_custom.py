"""Any torch optimizer, by path."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from spadam.optim import CustomSpec
from spadam.optim.inspection import view
from spadam.spec import InputError


def params() -> list[nn.Parameter]:
    return [nn.Parameter(torch.ones(3, 2))]


def test_builds_what_the_path_names_with_its_options() -> None:
    spec = CustomSpec(path="torch.optim.RAdam", gradient="dense", lr=0.25, options={"betas": [0.5, 0.9], "eps": 1e-3})
    optimizer = spec.build(params())
    assert type(optimizer) is torch.optim.RAdam
    assert optimizer.param_groups[0]["lr"] == 0.25
    assert optimizer.param_groups[0]["eps"] == 1e-3
    assert CustomSpec(path="spadam.optim.LazyAdam", gradient="coo").build(params()).__class__.__name__ == "LazyAdam"


def test_checking_imports_nothing() -> None:
    CustomSpec(path="no.such.package.Optimizer", gradient="dense")


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("no.such.package.Optimizer", "could not be imported .ModuleNotFoundError"),
        ("torch.optim.Adamant", "must name a torch.optim.Optimizer class"),
        ("torch.optim.lr_scheduler", "must name a torch.optim.Optimizer class"),
        ("torch.nn.Linear", "must name a torch.optim.Optimizer class"),
        ("broken_module.Optimizer", "could not be imported .RuntimeError: on purpose"),
    ],
)
def test_a_wrong_path_is_the_users_to_mend(path, rule, tmp_path, monkeypatch) -> None:
    (tmp_path / "broken_module.py").write_text("raise RuntimeError('on purpose')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=rule) as caught:
        CustomSpec(path=path, gradient="dense").build(params())
    assert caught.value.argument == "optimizer.path"
    assert caught.value.value == path


@pytest.mark.parametrize("path", ["Adam", "torch..Adam", "torch/optim.Adam", ""])
def test_what_cannot_be_a_path_is_refused_before(path) -> None:
    with pytest.raises(ValidationError, match=r"write package\.module\.Class"):
        CustomSpec(path=path, gradient="dense")


def test_wrong_options_are_told() -> None:
    with pytest.raises(InputError, match="nestorov"):
        CustomSpec(path="torch.optim.SGD", gradient="dense", options={"nestorov": True}).build(params())
    with pytest.raises(InputError, match=r"Nesterov momentum requires"):
        CustomSpec(path="torch.optim.SGD", gradient="dense", options={"nesterov": True}).build(params())
    with pytest.raises(ValidationError, match=r"set optimizer.lr"):
        CustomSpec(path="torch.optim.SGD", gradient="dense", options={"lr": 1.0})
    with pytest.raises(ValidationError, match=r"give optimizer.options.eps"):
        CustomSpec(path="torch.optim.Adamax", gradient="dense", eps=1.0)


def test_a_custom_path_to_a_known_optimizer_has_its_denominator() -> None:
    spec = CustomSpec(path="torch.optim.Adam", gradient="dense", options={"amsgrad": True})
    weights = params()
    optimizer = spec.build(weights)
    for scale in (4.0, 0.0):
        weights[0].grad = torch.full((3, 2), scale)
        optimizer.step()
    state = optimizer.state[weights[0]]
    want = (state["max_exp_avg_sq"] / (1 - 0.999**2)).sqrt() + 1e-8
    torch.testing.assert_close(view(optimizer).denominator(weights[0], torch.tensor([1])), want[[1]])
