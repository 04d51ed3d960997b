"""What may be searched: any single value of the configuration, the lr by the number of latents, lists as choices."""

from __future__ import annotations

import types
from typing import Any, get_origin

import pytest

from spadam.config import RunConfig
from spadam.spec import Document, InputError, all_keys, fields_at, parse
from spadam.sweep.definition import axis_names
from spadam.sweep.definition.extension import facts
from spadam.sweep.definition.reading import FIXED, check
from spadam.sweep.definition.space import Range
from spadam.sweep.definition.spec import Sweep, Variant

RULE = "{rule: sqrt_n, at: 2.0e-4, n: 16384}"


def sweep(space: str, optimizer: str = "{name: adam}", model: str = "{latents: 4096}", trials: int = 3) -> Sweep:
    base = f"{{data: {{name: digits}}, model: {model}, optimizer: {optimizer}}}"
    text = f"name: s\nbase: {base}\nvariants: {{a: {{}}}}\nspace: {space}\nsearch: {{trials: {trials}}}\n"
    return check(parse(text, "x.yaml"))


def variant(*args: Any, **kwargs: Any) -> Variant:
    return sweep(*args, **kwargs).variants["a"]


def lrs(found: Variant) -> list[float]:
    return [config.optimizer.lr for config in found.corners]


def holds_one_value(key: str) -> bool:
    def single(annotation: Any) -> bool:
        parts = [part for part in getattr(annotation, "__args__", ()) if part is not types.NoneType]
        if get_origin(annotation) in (tuple, list, dict):
            return False
        return not parts or get_origin(annotation) not in (tuple, list, dict)

    inner = any(other.startswith(f"{key}.") for other in all_keys(RunConfig))
    return not inner and all(single(field.annotation) for field in fields_at(RunConfig, key))


def test_every_single_value_of_a_configuration_may_be_an_axis() -> None:
    """But those that change no result."""
    searched = [key for key in all_keys(RunConfig) if holds_one_value(key)]
    fixed = [key for key in searched if any(f"{key}.".startswith(f"{each}.") for each in FIXED)]
    assert {"optimizer.beta1", "optimizer.beta2", "optimizer.name", "optimizer.ema.decay", "model.tied"} < {*searched}
    assert {"optimizer.inner.name", "optimizer.inner.beta1", "optimizer.schedule.decay_steps"} < {*searched}
    assert "optimizer.inner.lr" not in all_keys(RunConfig), "it stands beside inner"
    assert len(searched) > 70
    for key in {*searched} - {*fixed}:
        assert axis_names.why_not(key, Range(choices=(1, 2))) is None, key


def test_each_beta_is_an_axis_beside_a_list_of_both() -> None:
    space = "{optimizer.beta1: {low: 0.0, high: 0.99}, optimizer.beta2: [0.9, 0.99]}"
    found = variant(space, optimizer="{name: lazy_adam, betas: [0.8, 0.95]}")
    assert [config.optimizer.betas for config in found.corners] == [(0.0, 0.9), (0.0, 0.99), (0.99, 0.9), (0.99, 0.99)]
    assert found.config({"optimizer.beta1": 0.5}, seed=0).optimizer.betas == (0.5, 0.95)


def test_a_list_is_short_for_choices() -> None:
    short = sweep("{optimizer.name: [adam, lazy_adam], model.tied: [true, false], optimizer.eps: [1.0e-8]}")
    written = "{optimizer.name: {choices: [adam, lazy_adam]}, model.tied: {choices: [true, false]}, "
    whole = sweep(written + "optimizer.eps: {choices: [1.0e-8]}}")
    assert facts(short) == facts(whole)
    assert [axis.range.choices for axis in short.variants["a"].axes] == [("adam", "lazy_adam"), (True, False), (1e-8,)]
    assert check(Document(short.document.data, {}, "stored")).variants["a"].axes == short.variants["a"].axes


def test_a_variants_own_list_is_one_too() -> None:
    text = "name: s\nbase: {data: {name: digits}, optimizer: {name: adam}}\nsearch: {trials: 2}\n"
    found = check(parse(text + "variants: {a: {space: {optimizer.lr: [1.0, 2.0]}}}\n", "x.yaml"))
    assert lrs(found.variants["a"]) == [1.0, 2.0]


def test_a_centre_may_go_by_the_number_of_latents() -> None:
    for latents, centre in ((4096, 4e-4), (16384, 2e-4)):
        space = f"{{optimizer.lr: {{around: {RULE}, decades: 2}}}}"
        found = variant(space, model=f"{{latents: {latents}}}")
        assert lrs(found) == pytest.approx([centre / 10, centre * 10])


def test_an_lr_by_latents_follows_an_axis_of_them() -> None:
    assert lrs(variant("{model.latents: [1024, 4096]}", optimizer=f"{{name: adam, lr: {RULE}}}")) == [8e-4, 4e-4]


def test_its_own_number_may_be_an_axis() -> None:
    space = "{model.latents: [4096, 16384], optimizer.lr.at: {low: 1.0e-4, high: 1.0e-2, log: true}}"
    found = sweep(space, optimizer=f"{{name: adam, lr: {RULE}}}")
    assert lrs(found.variants["a"]) == pytest.approx([2e-4, 2e-2, 1e-4, 1e-2])
    assert "lr" not in facts(found)["variants"]["a"]["config"]["optimizer"], "what an axis gives is no fact"
    wider = sweep(space, optimizer=f"{{name: adam, lr: {RULE}}}", trials=9)
    assert facts(wider)["variants"] == facts(found)["variants"]


@pytest.mark.parametrize(
    ("space", "rest", "argument", "rule"),
    [
        (f"{{probe.lr: {{around: {RULE}, decades: 2}}}}", {}, "variant a: space.probe.lr.around", "optimizer.lr only"),
        (
            f"{{optimizer.lr: {{around: {RULE}, decades: 2}}, model.latents: [8, 16]}}",
            {},
            "variant a: space.optimizer.lr.around",
            "which is searched itself",
        ),
        (
            f"{{optimizer.lr: {{around: {RULE}, decades: 2}}}}",
            {"model": "{name: custom, path: a.B}"},
            "variant a: space.optimizer.lr.around",
            "no number of latents",
        ),
        ("{optimizer.lr.at: [1.0]}", {"optimizer": "{name: adam, lr: 1.0}"}, "variant a: optimizer.lr", "holds no key"),
        (
            "{optimizer.lr.at: [1.0], optimizer.lr: [1.0]}",
            {"optimizer": f"{{name: adam, lr: {RULE}}}"},
            "variant a: space.optimizer.lr.at",
            "one follows from the other",
        ),
        ("{optimizer.lr.at: [-1.0]}", {}, "variant a: optimizer.lr.at", "greater than 0"),
        ("{optimizer.inner.lr: [1.0]}", {"optimizer": "{name: schedule_free}"}, "space.optimizer.inner.lr", "no conf"),
        ("{optimizer.beta1: [1.0]}", {}, "variant a: optimizer.beta1", "less than 1"),
        ("{optimizer.beta1: [0.5]}", {"optimizer": "{name: sgd}"}, "variant a: optimizer.beta1", "not known"),
    ],
)
def test_what_cannot_be_searched_is_refused(space: str, rest: dict[str, str], argument: str, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        sweep(space, **rest)
    assert caught.value.argument == argument
    assert rule in caught.value.rule
    assert caught.value.where.startswith("x.yaml:")
