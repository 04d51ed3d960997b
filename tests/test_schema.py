"""The JSON schemas: sound, complete, as committed, and of one mind with the models about shipped and wrong files."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from spadam import schema
from spadam.config import RunConfig
from spadam.data import DATASETS
from spadam.optim import OPTIMIZERS
from spadam.sparsity import RULES
from spadam.spec import Document, InputError, assign, load, merge, parse, validate
from spadam.sweep.definition.reading import check
from support.paths import ROOT

SWEEPS = sorted((ROOT / "sweeps").glob("*.yaml"))
SCHEMAS = {"run": schema.run(), "sweep": schema.sweep()}

RUN: dict[str, Any] = {"data": {"name": "digits"}, "optimizer": {"name": "lazy_adam"}}
SWEEP: dict[str, Any] = {
    "name": "s",
    "base": {"data": {"name": "digits"}, "optimizer": {"name": "adam"}},
    "variants": {"a": {"optimizer": {"eps": 1.0e-6}}, "b": {"optimizer": {"name": "sgd"}, "space": {}}},
    "space": {"optimizer.lr": {"low": 1.0e-4, "high": 1.0e-1, "log": True}},
    "search": {"sampler": "random", "trials": 2},
}
REQUIRED = {"array": {"file": "x.npy"}, "custom": {"path": "a.B", "gradient": "coo"}}


def accepts(kind: str, data: object) -> bool:
    return Draft202012Validator(SCHEMAS[kind]).is_valid(data)


def models_accept(kind: str, data: dict[str, Any]) -> bool:
    try:
        if kind == "run":
            validate(RunConfig, Document(data, {}, "file"))
        else:
            check(Document(data, {}, "file"))
    except InputError:
        return False
    return True


def members() -> Iterator[tuple[str, str]]:
    for place, registry in (("data", DATASETS), ("model.rule", RULES), ("optimizer", OPTIMIZERS)):
        for member in registry:
            yield place, member.model_fields["name"].annotation.__args__[0]  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_is_one(kind: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[kind])
    assert SCHEMAS[kind]["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_committed_schema_is_that_of_the_models(kind: str) -> None:
    committed = json.loads((ROOT / f"docs/schema/{kind}.json").read_text(encoding="utf-8"))
    assert committed == SCHEMAS[kind], "run make docs"


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.name)
def test_shipped_sweeps_validate_and_name_the_schema(path: Path) -> None:
    assert [error.message for error in Draft202012Validator(SCHEMAS["sweep"]).iter_errors(load(path).data)] == []
    named = path.read_text(encoding="utf-8").splitlines()[0].partition("# yaml-language-server: $schema=")[2]
    assert (path.parent / named).resolve() == ROOT / "docs/schema/sweep.json"


def test_the_configurations_of_the_readme_validate() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        data = parse(block, "README.md").data
        assert accepts("sweep" if "variants" in data else "run", data)


@pytest.mark.parametrize(("place", "name"), list(members()))
def test_every_member_is_accepted_with_all_its_keys_and_no_others(place: str, name: str) -> None:
    config = merge(RUN, assign({}, place, {"name": name, **REQUIRED.get(name, {})}))
    plain = validate(RunConfig, Document(config, {}, "file")).plain()
    assert accepts("run", plain)
    assert accepts("sweep", {**SWEEP, "base": plain, "variants": {"a": plain, "b": {}}})
    assert not accepts("run", assign(plain, f"{place}.colour", "red"))


WRONG: list[tuple[str, str, Any]] = [
    ("run", "model.latent", 10),
    ("run", "seed", -1),
    ("run", "model", None),
    ("run", "data", {"batch_size": 8}),
    ("run", "optimizer.lr", "fast"),
    ("run", "optimizer.lr", 0),
    ("run", "optimizer.betas", [0.9]),
    ("run", "optimizer", {"name": "sgd", "eps": 1e-8}),
    ("run", "optimizer", {"name": "lazy_adm"}),
    ("run", "optimizer", {"lr": 1e-3}),
    ("run", "trainer.epochs", True),
    ("run", "trainer.checkpoint_every", "step"),
    ("run", "tracking.mode", "on"),
    ("sweep", "name", 3),
    ("sweep", "variant", {}),
    ("sweep", "base.model.latent", 10),
    ("sweep", "base.optimizer", {"name": "sgd", "eps": 1e-8}),
    ("sweep", "variants.a.optimizer.epz", 1e-8),
    ("sweep", "variants.a.search", {"trials": 3}),
    ("sweep", "search.trials", "many"),
    ("sweep", "search.sampler", "annealing"),
    ("sweep", "repeat.seeds", -1),
    ("sweep", "objective.metric", "val/fuv"),
    ("sweep", "objective.metric", "test/fvu"),
    ("sweep", "objective.direction", "down"),
    ("sweep", "objective", {"at": {"sparsity/l0_eval": [28]}}),
    ("sweep", "objective", {"at": {"sparsity/l0_eval": ["28", 36]}}),
    ("sweep", "objective", {"pareto": ["val/fvu", "test/fvu"]}),
    ("sweep", "objective", {"pareto": {"val/fvu": "down", "sparsity/l0_eval": "minimize"}}),
    ("sweep", "report", {"columns": ["val/fuv"]}),
]
RIGHT: list[tuple[str, str, Any]] = [
    ("run", "probe", None),
    ("run", "trainer.checkpoint_every", 10),
    ("run", "trainer.clip_norm", 1),  # a whole number is a number
    ("run", "model.rule", {"name": "relu", "l1": 0.1}),
    ("sweep", "base.optimizer", {"lr": 1e-3, "name": "adam"}),
    ("sweep", "variants.a.data", {"batch_size": 8}),
    ("sweep", "variants.a.space", {"optimizer.lr": None}),
    ("sweep", "objective.metric", "val/mse"),
    ("sweep", "objective", {"at": {"sparsity/l0_eval": [1, 2.5]}}),
    ("sweep", "objective", {"pareto": ["val/fvu", "sparsity/l0_eval"]}),
    ("sweep", "objective", {"pareto": {"val/fvu": "minimize", "probe/val_accuracy": "maximize"}}),
    ("sweep", "report", {"columns": ["test/fvu", "time/step_ms"]}),
]


@pytest.mark.parametrize(("kind", "key", "value"), WRONG)
def test_what_the_models_refuse_is_refused(kind: str, key: str, value: object) -> None:
    data = assign(RUN if kind == "run" else SWEEP, key, value)
    assert not models_accept(kind, data)
    assert not accepts(kind, data)


@pytest.mark.parametrize(("kind", "key", "value"), RIGHT)
def test_what_the_models_take_is_taken(kind: str, key: str, value: object) -> None:
    data = assign(RUN if kind == "run" else SWEEP, key, value)
    assert models_accept(kind, data)
    assert accepts(kind, data)


@pytest.mark.parametrize(
    ("range_", "taken"),
    [
        ({"low": 1, "high": 2.5}, True),
        ({"low": 1e-5, "high": 1e-1, "log": True}, True),
        ({"choices": [1, None, "after", True]}, True),
        ({"around": "declared", "decades": 4}, True),
        ({"around": 3e-3, "decades": 4}, True),
        ({"around": "centre", "decades": 4}, False),
        ({"low": "1e-5", "high": 1}, False),
        ({"lo": 1, "high": 2}, False),
        ({"choices": 3}, False),
        (3, False),
    ],
)
def test_ranges(range_: object, taken: bool) -> None:
    assert accepts("sweep", {**SWEEP, "space": {"optimizer.lr": range_}}) is taken
    assert accepts("sweep", {**SWEEP, "variants": {"a": {"space": {"optimizer.lr": range_}}}}) is taken


@pytest.mark.parametrize(
    ("kind", "required"), [("run", {"data", "optimizer"}), ("sweep", {"name", "base", "variants"})]
)
def test_required_keys(kind: str, required: set[str]) -> None:
    data = RUN if kind == "run" else SWEEP
    assert accepts(kind, {key: value for key, value in data.items() if key in required})
    for missing in required:
        assert not accepts(kind, {key: value for key, value in data.items() if key != missing})


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_key_is_described(kind: str) -> None:
    """By itself, or by the model that it holds; the name of a member says what it is."""
    models = {**SCHEMAS[kind]["$defs"], kind: SCHEMAS[kind]}
    silent = {
        f"{name}.{key}"
        for name, model in models.items()
        for key, value in model["properties"].items()
        if "description" not in value and "const" not in value and "$ref" not in json.dumps(value)
    }
    assert not silent
    assert all(model["description"] for model in models.values())


def test_a_key_that_was_given_another_default_keeps_its_description() -> None:
    lazy = SCHEMAS["run"]["$defs"]["LazyAdamSpec"]["properties"]["epsilon"]
    assert lazy["default"] == "hat"
    assert "bias correction" in lazy["description"]
