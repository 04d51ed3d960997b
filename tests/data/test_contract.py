"""What every dataset promises, run over every member of the registry."""

import subprocess
import sys

import pytest
import torch
from pydantic import TypeAdapter

from spadam.data import DATASETS, Batches, DatasetSpec
from spadam.data.source import BaseDatasetSpec
from spadam.schema import meanings
from spadam.spec import Document, InputError, Spec, validate

NAMES = [member.model_fields["name"].default for member in DATASETS]


class Wrapped(Spec):
    data: DatasetSpec


def load(name, example, **changes):
    return TypeAdapter(DatasetSpec).validate_python({"name": name, **example(name), **changes}).load()


def test_the_registry_holds_what_the_design_names():
    assert NAMES == ["digits", "mnist", "fashion_mnist", "synthetic", "array"]
    assert all(issubclass(member, BaseDatasetSpec) for member in DATASETS)


@pytest.mark.parametrize("member", DATASETS)
def test_member_describes_itself(member):
    first = member.__doc__.splitlines()[0]
    assert 20 < len(first) <= 120
    assert first.endswith((".", ")."))
    assert meanings(member).keys() == member.model_fields.keys() - {"name"}


@pytest.mark.parametrize("member", DATASETS)
def test_member_has_the_common_fields_and_defaults(member):
    defaults = {name: member.model_fields[name].default for name in BaseDatasetSpec.model_fields if name != "name"}
    assert defaults == {
        "root": "data",
        "batch_size": 128,
        "batches": "shuffled",
        "train_size": None,
        "validation_size": None,
        "split_seed": 0,
        "scale": "none",
        "groups": None,
        "groups_key": None,
        "exclude": None,
    }


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_what_they_say(name, example):
    data = load(name, example)
    n = len(data.x)
    rows = torch.arange(n)
    x = data.take(rows)
    assert x.dtype == torch.float32
    assert x.shape == (n, data.features)
    assert x.isfinite().all()
    assert data.y.shape == (n,)
    assert data.y.dtype == torch.int64
    assert data.y.min() >= 0
    assert data.y.max() < data.classes
    if data.image_shape:
        height, width = data.image_shape
        assert height * width == data.features
        assert 0 <= x.min() < x.max() <= 1
    xs, ys = data.batch(rows[:3])
    assert torch.equal(xs, x[:3])
    assert torch.equal(ys, data.y[:3])


@pytest.mark.parametrize("name", NAMES)
def test_what_is_known_beforehand_is_true(name, example):
    spec = TypeAdapter(DatasetSpec).validate_python({"name": name, **example(name)})
    data = spec.load()
    assert spec.labelled is (data.y is not None)
    assert spec.pool in (None, len(data.x) - data.samples.official_test)


@pytest.mark.parametrize("name", NAMES)
def test_splits_are_disjoint_and_cover_the_set(name, example):
    data = load(name, example)
    splits = [data.train, data.validation, data.test]
    assert all(len(rows) and rows.dtype == torch.int64 for rows in splits)
    together = torch.cat(splits)
    assert torch.equal(together.sort().values, torch.arange(len(data.x)))


@pytest.mark.parametrize("name", NAMES)
def test_splits_are_a_function_of_seed_and_sizes(name, example):
    first, again, other = load(name, example), load(name, example), load(name, example, split_seed=1)
    assert all(torch.equal(a, b) for a, b in zip(first.splits, again.splits, strict=True))
    assert not torch.equal(first.train, other.train)
    assert not torch.equal(first.validation, other.validation)
    smaller = load(name, example, train_size=20, batch_size=8)
    assert torch.equal(smaller.train, first.train[:20])
    assert torch.equal(smaller.validation, first.validation)
    assert torch.equal(smaller.test, first.test)
    shorter = load(name, example, validation_size=2)
    assert torch.equal(shorter.validation, first.validation[:2])
    assert torch.equal(shorter.test, first.test)


@pytest.mark.parametrize("name", NAMES)
def test_no_validation_leaves_more_to_train_on(name, example):
    data, without = load(name, example), load(name, example, validation_size=0)
    assert len(without.validation) == 0
    assert len(without.train) == len(data.train) + len(data.validation)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("field", ["train_size", "validation_size", "batch_size"])
def test_sizes_that_do_not_fit_are_told(name, field, example):
    with pytest.raises((InputError, ValueError), match=f"data.{field} = 1000000") as caught:
        load(name, example, **{field: 1_000_000})
    # pydantic wraps what a validator raises; what loading raises comes as it is
    assert "samples" in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_bad_values_are_told_with_argument_and_rule(name):
    required = {"file": "x.npy"} if name == "array" else {}
    for field, value in [("batch_size", 0), ("train_size", 0), ("validation_size", -1), ("split_seed", -1)]:
        with pytest.raises(InputError, match=rf"data.{field} = {value}.*greater") as caught:
            validate(Wrapped, Document({"data": {"name": name, field: value} | required}, {}, ""))
        assert caught.value.argument == f"data.{field}"
    with pytest.raises(InputError, match=r"data\.batch_sise: this key is not known; did you mean batch_size"):
        validate(Wrapped, Document({"data": {"name": name, "batch_sise": 3} | required}, {}, ""))


@pytest.mark.parametrize(
    ("fields", "argument", "rule"),
    [
        ({"name": "digits", "train_size": 1300}, "data.train_size", "it must be at most 1200 (there are 1797 samples)"),
        ({"name": "digits", "batch_size": 1300}, "data.batch_size", "which has 1200 samples"),
        ({"name": "synthetic", "samples": 50}, "data.batch_size", "which has 40 samples"),
        ({"name": "synthetic", "active": 300}, "data.active", "the dictionary, which has 256"),
        ({"name": "array", "file": "x.csv"}, "data.file", "a .npy or a .safetensors file"),
    ],
)
def test_what_can_be_known_early_is_told_with_the_configuration(fields, argument, rule):
    with pytest.raises(InputError) as caught:
        validate(Wrapped, Document({"data": fields}, {("data",): 3}, "run.yaml"))
    assert caught.value.argument == argument
    assert caught.value.value == list(fields.values())[-1] or argument == "data.batch_size"
    assert rule in caught.value.rule
    assert caught.value.where == "run.yaml:3"


def test_an_unknown_name_is_told():
    with pytest.raises(InputError, match="did you mean mnist"):
        validate(Wrapped, Document({"data": {"name": "minst"}}, {}, ""))


@pytest.mark.parametrize("name", NAMES)
def test_train_mean_is_the_mean_of_the_training_split(name, example):
    data = load(name, example)
    naive = data.x[data.train].double().mean(0).float()
    assert data.train_mean().dtype == torch.float32
    torch.testing.assert_close(data.train_mean(), naive, rtol=1e-6, atol=1e-9)  # two roundings of one float64 sum


@pytest.mark.parametrize("name", NAMES)
def test_content_hash_tells_data_and_splits_apart(name, example):
    data = load(name, example)
    assert len(data.content_hash()) == 64
    assert data.content_hash() == load(name, example).content_hash() == data.to("cpu").content_hash()
    different = {
        load(name, example, **c).content_hash() for c in ({"split_seed": 1}, {"train_size": 20, "batch_size": 8})
    }
    assert len(different | {data.content_hash()}) == 3


@pytest.mark.parametrize("name", NAMES)
def test_a_second_load_shares_the_samples(name, example):
    fields = example(name)
    spec = TypeAdapter(DatasetSpec).validate_python({"name": name, **fields})
    other = spec.model_copy(update={"split_seed": 3, "validation_size": 5, "batch_size": 4})
    assert spec.load().samples is other.load().samples


@pytest.mark.parametrize("name", NAMES)
def test_batches_go_through_the_training_split(name, example):
    data = load(name, example)
    batches = Batches(data, data.train, 8, seed=0)
    handed = list(batches)
    assert len(handed) == len(batches) == len(data.train) // 8
    assert all(x.shape == (8, data.features) and x.dtype == torch.float32 and y.shape == (8,) for x, y in handed)


def test_importing_and_describing_loads_neither_torchvision_nor_sklearn():
    code = (
        "import sys; from spadam.data import DigitsSpec, MnistSpec; DigitsSpec(), MnistSpec()\n"
        "sys.exit(any(m in sys.modules for m in ('torchvision', 'sklearn', 'pytorch_lightning')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
