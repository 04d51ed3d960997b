"""The plan says how large samples and gradients are, and which ranges are to be held against that."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from spadam.spec import dump, merge
from spadam.sweep.forecast.costs import configure
from spadam.sweep.forecast.forecast import Forecast, forecast, plain
from spadam.sweep.forecast.lr_pilot import Centre, measure_centres, plain_centres, snippet
from spadam.sweep.forecast.sizes import Sizes, absolute_axes, gauge
from spadam.terminal.forecast import show_centres, show_forecast
from spadam.training.gradient_scale import gradient_rms
from support.sweep_bench import SPEC, Bench

DECLARED = {"around": "declared", "decades": 2}
EPS = {"low": 1e-10, "high": 1.0, "log": True}


def write(bench: Bench, space: dict[str, Any], **changes: Any) -> None:
    """The usual sweep with another space, and other changes."""
    bench.write(text=dump({**merge(SPEC, changes), "space": space}))


def silent(what: str, number: int, total: int) -> Callable[[object], None]:
    return lambda step: None


def foresee(bench: Bench) -> Forecast:
    return forecast(*bench.read(), bench.out, silent, 1)


def printed(found: Forecast) -> str:
    out = io.StringIO()
    show_forecast(Console(file=out, width=200), found)
    return out.getvalue()


@pytest.mark.parametrize("scaling", ["none", "unit_sq", "sqrt_d"])
def test_sizes_are_those_of_the_training_that_begins(bench: Bench, scaling: str) -> None:
    bench.write({"base": {"data": {"scale": scaling}}})
    config = configure(bench.load().variants["adam"], 0)
    data = config.data.load()
    squares = data.take(data.train).double().square().sum(1)
    found = gauge(config)
    assert found.scaling == scaling
    assert found.square == pytest.approx(float(squares.mean()), rel=1e-6)  # products are rounded to float32
    assert found.square == pytest.approx(1) or scaling != "unit_sq"
    assert found.gradient == gradient_rms(config)


def test_the_gradient_grows_with_the_inputs(bench: Bench) -> None:
    """Those of a loss that is quadratic in samples, weights and biases of 0: the decoder bias is all that is not."""
    rms = {}
    for scaling in ("none", "unit_sq"):
        model = {"init_bias": "zero", "pre_bias": "none"}
        bench.write({"base": {"data": {"scale": scaling}, "model": model}})
        rms[scaling] = gauge(configure(bench.load().variants["adam"], 0))
    ratio = rms["none"].square / rms["unit_sq"].square
    assert ratio > 2
    assert rms["none"].gradient is not None
    assert rms["unit_sq"].gradient is not None
    assert rms["none"].gradient / rms["unit_sq"].gradient == pytest.approx(ratio, rel=1e-4)


def test_a_gradient_of_nothing_is_none(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spadam.training.module.TaskModule.training_step", _no_gradient)
    assert gauge(configure(bench.load().variants["adam"], 0)).gradient is None


def _no_gradient(self: Any, batch: Any, number: int) -> dict[str, Any]:
    step = self.task.training_step(batch)._asdict()
    return {**step, "loss": step["loss"] * 0}


@pytest.mark.parametrize(
    ("space", "axes"),
    [
        (SPEC["space"], ["optimizer.eps"]),
        ({}, []),
        ({"optimizer.lr": DECLARED}, ["optimizer.lr"]),
        ({"optimizer.lr": DECLARED, "optimizer.eps": EPS}, ["optimizer.lr", "optimizer.eps"]),
        ({"optimizer.lr": {"around": 1e-3, "decades": 2}, "optimizer.eps_rel": EPS}, []),
    ],
)
def test_ranges_that_hold_for_one_scale(bench: Bench, space: dict[str, Any], axes: list[str]) -> None:
    write(bench, space)
    assert absolute_axes(bench.load(), "adam") == axes


def test_a_variant_has_its_own_ranges(bench: Bench) -> None:
    own = {"optimizer.lr": DECLARED, "optimizer.eps": None}
    write(bench, SPEC["space"], variants={"adam": {"space": own}})
    assert absolute_axes(bench.load(), "adam") == ["optimizer.lr"]
    assert absolute_axes(bench.load(), "lazy") == ["optimizer.eps"]


def test_the_plan_says_scale_gradient_and_what_is_assumed(bench: Bench) -> None:
    found = foresee(bench)
    rms = {sight.sizes.gradient for sight in found.sights if sight.sizes is not None}
    assert len(rms) == 1, "it is one number for variants that differ in their optimizers"
    [row, _] = plain(found)["rows"]
    assert (row["scaling"], row["gradient_rms"]) == ("none", rms.pop())
    text = printed(found)
    assert f"gradient rms: over touched rows, before the first step; {row['gradient_rms']:.2g}\n" in text
    told = f"Scale: data.scale: none, mean |x|² = {row['mean_square']:.3g}; optimizer.eps means the same on other data"
    assert f"{told} with data.scale: unit_sq only" in text


def test_each_scale_of_the_plan_is_told(bench: Bench) -> None:
    lazy = {"data": {"scale": "unit_sq"}, "model": {"reduction": "sample"}}
    write(bench, {"optimizer.lr": DECLARED, "optimizer.eps": EPS}, variants={"lazy": lazy})
    found = foresee(bench)
    low, high = sorted(sight.sizes.gradient or 0 for sight in found.sights if sight.sizes is not None)
    text = printed(found)
    assert f"{low:.2g} to {high:.2g}, a factor of {high / low:.3g}" in text
    named = "optimizer.lr around declared centres and optimizer.eps"
    assert f"; {named} mean the same on other data with data.scale: unit_sq only" in text
    assert f"Scale: data.scale: unit_sq, mean |x|² = 1, as {named} assume" in text


def test_a_pilot_says_what_its_centres_hold_for(bench: Bench) -> None:
    write(bench, {"optimizer.lr": DECLARED}, base={"data": {"scale": "unit_sq"}})
    [centre] = measure_centres(bench.load(), ["adam"], silent)
    assert centre.sizes == gauge(configure(bench.load().variants["adam"], 0))
    assert snippet([centre]).startswith("variants:  # measured with data.scale: unit_sq\n  adam: ")
    [values] = plain_centres([centre])
    assert (values["scaling"], values["mean_square"]) == ("unit_sq", pytest.approx(1))
    out = io.StringIO()
    other = Centre("lazy", 1e-3, 1e-3, ((1e-3, 1.0),), False, 4.0, Sizes("none", 3.0, None))
    show_centres(Console(file=out, width=80), [centre, other], [])
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert ["data.scale", "unit_sq", "none"] in lines
    assert ["gradient", "rms", f"{values['gradient_rms']:.2g}", "-"] in lines


def test_warnings_of_the_inputs_stand_in_the_plan(bench: Bench, tmp_path: Path) -> None:
    x = torch.randn(400, 8, generator=torch.Generator().manual_seed(0))
    x[::64] *= 30
    np.save(tmp_path / "x.npy", x.numpy())
    data = {"name": "array", "file": str(tmp_path / "x.npy"), "batch_size": 32}
    spec = {**SPEC, "base": {**SPEC["base"], "data": data}}
    bench.write(text=dump(spec))
    [warned] = [warned for warned in foresee(bench).warnings if warned.code == "outliers"]
    assert warned.variants == ("adam", "lazy")
    assert warned.numbers["share"] > 0.2
    bench.write(text=dump(merge(spec, {"base": {"data": {"exclude": {"norm_over": 5.0}}}})))
    assert [warned for warned in foresee(bench).warnings if warned.code == "outliers"] == []


@pytest.mark.parametrize(("name", "lr", "told"), [("sgd", DECLARED, 1), ("adam", DECLARED, 0), ("sgd", EPS, 0)])
def test_a_centre_that_was_measured_at_another_scale_is_told(bench: Bench, name: str, lr: Any, told: int) -> None:
    variants = {"adam": {"optimizer": {"name": name}}}
    write(bench, {"optimizer.lr": lr}, variants=variants, base={"data": {"scale": "unit_sq"}})
    found = [warned for warned in foresee(bench).warnings if warned.code == "centre_of_another_scale"]
    assert [warned.variants for warned in found] == [("adam",)] * told
    assert all("mean |x|² = 162, which is 1 here" in warned.text for warned in found)
