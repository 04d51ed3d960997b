"""Ranges around a declared centre, eps in units of the gradient, lr in units of eps."""

from typing import Any

import pytest

from spadam.config import RunConfig
from spadam.optim import OPTIMIZERS, CustomSpec
from spadam.spec import Document, InputError, dump
from spadam.sweep.definition import extension
from spadam.sweep.definition.reading import check
from spadam.sweep.definition.relative_axes import scale_key
from spadam.sweep.definition.spec import Sweep, Variant
from support.sweep_bench import SPEC, Bench

CUSTOM = {"name": "custom", "path": "torch.optim.NAdam", "gradient": "dense"}
EPS_REL = {"low": 1e-4, "high": 1e2, "log": True}
RATIO = {"low": 1e-2, "high": 1e4, "log": True}


def write(bench: Bench, space: dict[str, Any], *optimizers: dict[str, Any], **search: Any) -> None:
    """A sweep with ``space`` and a variant for each of ``optimizers``: `own`, `own1` and so on."""
    own = {f"own{n or ''}": {"optimizer": optimizer} for n, optimizer in enumerate(optimizers or ({"name": "adam"},))}
    bench.write(text=dump({**SPEC, "space": space, "variants": own, "search": {"trials": 4, **search}}))


def own(bench: Bench) -> Variant:
    return bench.load().variants["own"]


def refused(bench: Bench) -> InputError:
    with pytest.raises(InputError) as caught:
        bench.load()
    return caught.value


@pytest.mark.parametrize(
    "spec", [spec for spec in OPTIMIZERS if spec is not CustomSpec], ids=lambda spec: spec.__name__
)
def test_declared_is_the_centre_of_the_optimizer(bench: Bench, spec: Any) -> None:
    name = spec.model_fields["name"].default
    write(bench, {"optimizer.lr": {"around": "declared", "decades": 4}}, {"name": name})
    (axis,) = own(bench).axes
    assert axis.range.low == pytest.approx(spec.lr_center / 100, rel=1e-11)
    assert axis.range.high == pytest.approx(spec.lr_center * 100, rel=1e-11)


def test_equal_points_lie_at_equal_factors_of_the_centres(bench: Bench) -> None:
    space = {"optimizer.lr": {"around": "declared", "decades": 4, "points": 3}}
    write(bench, space, {"name": "adam"}, {"name": "sgd"}, sampler="grid", trials=None)
    adam, sgd = (variant.axes[0].grid() for variant in bench.load().variants.values())
    assert adam == pytest.approx((3e-5, 3e-3, 3e-1), rel=1e-9)
    assert sgd == pytest.approx((3e-2, 3.0, 3e2), rel=1e-9)


def test_eps_rel_is_eps_over_the_scale(bench: Bench) -> None:
    write(bench, {"optimizer.eps_rel": EPS_REL}, {"name": "lazy_adam", "lr": 0.5, "eps": 3.0})
    variant = own(bench)
    assert variant.needs_scale
    config = variant.config({"optimizer.eps_rel": 1e-2}, seed=3, gradient_rms=0.25)
    assert (config.optimizer.eps, config.optimizer.lr, config.seed) == (1e-2 * 0.25, 0.5, 3)
    with pytest.raises(AssertionError):
        variant.config({"optimizer.eps_rel": 1e-2}, seed=3)


@pytest.mark.parametrize(
    ("space", "optimizer", "params", "eps"),
    [
        ({"optimizer.eps": EPS_REL}, {}, {"optimizer.eps": 1e-3}, 1e-3),
        ({"optimizer.eps_rel": EPS_REL}, {}, {"optimizer.eps_rel": 1e-3}, 0.25e-3),
        ({}, {"eps": 1e-5}, {}, 1e-5),
        ({}, {}, {}, 1e-8),
    ],
    ids=["its axis", "eps_rel", "base", "default"],
)
def test_lr_is_a_multiple_of_the_eps_in_force(
    bench: Bench, space: dict[str, Any], optimizer: dict[str, Any], params: dict[str, Any], eps: float
) -> None:
    write(bench, {"optimizer.lr_over_eps": RATIO, **space}, {"name": "lazy_adam", **optimizer})
    variant = own(bench)
    config = variant.config({"optimizer.lr_over_eps": 7.0, **params}, 0, gradient_rms=0.25)
    assert (config.optimizer.lr, config.optimizer.eps) == (pytest.approx(7 * eps, rel=1e-15), eps)
    assert variant.needs_scale == ("optimizer.eps_rel" in space)


def test_an_optimizer_of_another_variant_has_its_own_default_eps(bench: Bench) -> None:
    write(bench, {"optimizer.lr_over_eps": RATIO}, {"name": "adagrad"})
    assert own(bench).config({"optimizer.lr_over_eps": 2.0}, 0).optimizer.lr == 2e-10


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str, str, str, str]] = [
    (
        {"optimizer.lr": {"around": "declared", "decades": 4}},
        CUSTOM,
        "space.optimizer.lr.around",
        "optimizer.lr:",
        "custom optimizer is not known",
        "give a number",
    ),
    (
        {"optimizer.eps": {"around": "declared", "decades": 4}},
        {},
        "space.optimizer.eps.around",
        "optimizer.eps:",
        "for optimizer.lr only",
        "give a number",
    ),
    (
        {"optimizer.lr": {"around": "declared", "decades": 4}, "optimizer.name": {"choices": ["adam", "sgd"]}},
        {},
        "space.optimizer.lr",
        "optimizer.lr:",
        "which is searched itself",
        "a variant",
    ),
    (
        {"optimizer.eps": EPS_REL, "optimizer.eps_rel": EPS_REL},
        {},
        "space.optimizer.eps_rel",
        "optimizer.eps_rel:",
        "optimizer.eps is searched too",
        "space: {optimizer.eps: null}",
    ),
    (
        {"optimizer.lr": EPS_REL, "optimizer.lr_over_eps": RATIO},
        {},
        "space.optimizer.lr_over_eps",
        "optimizer.lr_over_eps:",
        "optimizer.lr is searched too",
        "space: {optimizer.lr: null}",
    ),
    (
        {"optimizer.eps_rel": EPS_REL},
        {"name": "sgd"},
        "space.optimizer.eps_rel",
        "optimizer.eps_rel:",
        "sgd has no epsilon",
        "space: {optimizer.eps_rel: null}",
    ),
    (
        {"optimizer.lr_over_eps": RATIO},
        {"name": "signum"},
        "space.optimizer.lr_over_eps",
        "optimizer.lr_over_eps:",
        "signum has no epsilon",
        "space: {optimizer.lr_over_eps: null}",
    ),
    (
        {"optimizer.eps_rel": EPS_REL},
        CUSTOM,
        "space.optimizer.eps_rel",
        "optimizer.eps_rel:",
        "custom has no epsilon",
        "optimizer.options.eps",
    ),
    (
        {"optimizer.lr_over_eps": RATIO},
        {"eps": 0.0},
        "space.optimizer.lr_over_eps",
        "optimizer.lr_over_eps:",
        "optimizer.eps may be 0",
        "above 0",
    ),
    (
        {"optimizer.lr_over_eps": RATIO, "optimizer.eps": {"low": 0.0, "high": 1.0}},
        {},
        "space.optimizer.lr_over_eps",
        "optimizer.lr_over_eps:",
        "optimizer.eps may be 0",
        "above 0",
    ),
    (
        {"optimizer.lr_over_eps": RATIO, "optimizer.eps_rel": {"choices": [1.0, 0]}},
        {},
        "space.optimizer.lr_over_eps",
        "optimizer.lr_over_eps:",
        "optimizer.eps_rel may be 0",
        "above 0",
    ),
    (
        {"optimizer.eps_rel": {"choices": [1.0, "much"]}},
        {},
        "space.optimizer.eps_rel.choices",
        "optimizer.eps_rel:",
        "must be a number",
        "numbers only",
    ),
    (
        {"optimizer.eps_rel": {"low": -1.0, "high": 1.0}},
        {},
        "optimizer.eps",
        "optimizer.eps_rel:",
        "at the low end of optimizer.eps_rel (-1.0), ",
        "",
    ),
    (
        {"optimizer.lr_over_eps": {"low": -2.0, "high": -1.0}},
        {},
        "optimizer.lr",
        "optimizer.lr_over_eps:",
        "at both ends of its range",
        "space: {optimizer.lr_over_eps: null}",
    ),
    ({"optimizer.eps_rel": EPS_REL}, {"name": "lazy_adm"}, "optimizer.name", "lazy_adm", "", "lazy_adam"),
    ({"optimizer.lr_over_eps": RATIO}, {"eps": "1e-8"}, "optimizer.eps", "eps: 1e-8", "number", ""),
]


@pytest.mark.parametrize(("space", "optimizer", "argument", "line", "rule", "remedy"), REFUSED)
def test_what_does_not_go_together(
    bench: Bench, space: dict[str, Any], optimizer: dict[str, Any], argument: str, line: str, rule: str, remedy: str
) -> None:
    write(bench, space, {"name": "lazy_adam", **optimizer})
    error = refused(bench)
    assert error.argument == f"variant own: {argument}"
    assert rule in error.rule
    assert remedy in error.remedy
    lines = bench.spec.read_text().replace("'", "").splitlines()
    found = int(error.where.rpartition(":")[2])
    assert any(line in text for text in lines[found - 1 : found + 1])


def test_facts_are_those_of_numbers(bench: Bench) -> None:
    """What is stored does not tell how a range was written, and a relative axis takes the place of its key."""
    space = {"optimizer.lr": {"around": "declared", "decades": 4}, "optimizer.eps_rel": EPS_REL}
    write(bench, space)
    facts = extension.facts(bench.load())["variants"]["own"]
    plain = {"low": 3e-5, "high": 3e-1, "log": True, "points": None, "choices": None}
    assert facts["space"]["optimizer.lr"] == plain
    assert facts["space"]["optimizer.eps_rel"]["low"] == 1e-4
    assert "eps" not in facts["config"]["optimizer"]
    assert "lr" not in facts["config"]["optimizer"]
    write(bench, {**space, "optimizer.lr": {"low": 3e-5, "high": 3e-1, "log": True}})
    extension.check_extends(bench.load(), {**extension.facts(bench.load()), "variants": {"own": facts}})
    write(bench, {**space, "optimizer.eps_rel": {**EPS_REL, "high": 1e3}})
    with pytest.raises(InputError, match=r"space\.optimizer\.eps_rel\.high"):
        extension.check_extends(bench.load(), {**extension.facts(bench.load()), "variants": {"own": facts}})


def test_a_sweep_is_read_without_lines_as_its_storage_knows_it(bench: Bench) -> None:
    write(bench, {"optimizer.lr": {"around": "declared", "decades": 4}, "optimizer.eps_rel": EPS_REL})
    sweep: Sweep = check(Document(bench.load().document.data, {}, "sweep"))
    assert [axis.name for axis in sweep.variants["own"].axes] == ["optimizer.lr", "optimizer.eps_rel"]


def test_the_key_of_a_scale_is_all_that_it_depends_on(bench: Bench) -> None:
    def key(params: dict[str, Any], seed: int = 0) -> str:
        return scale_key(bench.load().variants["lazy"].config(params, seed))

    same = [{}, {"optimizer.lr": 1.0}, {"optimizer.name": "adam"}, {"probe.lr": 1.0}, {"data.root": "elsewhere"}]
    same += [{"tracking.project": "other"}, {"trainer.steps": 9}, {"trainer.clip_norm": 1.0}]
    assert len({key(params) for params in same}) == 1
    other = [{}, {"model.latents": 17}, {"data.batch_size": 16}, {"trainer.threads": 2}, {"model.execution": "dense"}]
    assert len({key(params) for params in other} | {key({}, seed=1)}) == 6


def test_every_seed_and_optimizer_of_one_model_shares_its_scale(bench: Bench) -> None:
    configs: list[RunConfig] = [variant.config({}, 0) for variant in bench.load().variants.values()]
    assert len({scale_key(config) for config in configs}) == 1
