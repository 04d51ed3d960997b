"""Patterns that match what they should not, and shards that do not go together, are told by the shard."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from spadam.data import ArraySpec
from spadam.data.exclude import ExcludeSpec
from spadam.spec import InputError


@pytest.fixture
def x(tmp_path):
    """Shards x-1, x-2 and x-10 of 30 samples."""
    x = np.random.default_rng(0).normal(size=(90, 6)).astype(np.float32)
    for number, part in zip((1, 2, 10), np.split(x, 3), strict=True):
        np.save(tmp_path / f"x-{number}.npy", part)
        np.save(tmp_path / f"y-{number}.npy", np.arange(30) % 3)
    return x


def load(folder, **fields):
    return ArraySpec(**{"root": str(folder), "file": "x-*.npy", "batch_size": 4, **fields}).load()


def torn(folder, x):
    (folder / "x-2.npy").write_bytes((folder / "x-2.npy").read_bytes()[:-8])


def torn_safetensors(folder, x):
    for number in (1, 2):
        save_file({"a": torch.from_numpy(x)}, folder / f"x-{number}.safetensors")
    (folder / "x-2.safetensors").write_bytes((folder / "x-2.safetensors").read_bytes()[:-8])


def other_tensors(folder, x):
    save_file({"acts": torch.from_numpy(x)}, folder / "x-1.safetensors")
    save_file({"activations": torch.from_numpy(x)}, folder / "x-2.safetensors")


def nan(folder, x):
    x[40, 2] = np.nan
    np.save(folder / "x-2.npy", x[30:60])


def wrong(name, change, argument, rule, **fields):
    return pytest.param(change, argument, rule, fields, id=name)


@pytest.mark.parametrize(
    ("change", "argument", "rule", "fields"),
    [
        wrong(
            "nothing matches",
            None,
            "data.file",
            r"'z-\*.npy': no file matches .*/z-.*check the pattern; there are x-1.npy, x-2.npy, x-10.npy, …",
            file="z-*.npy",
        ),
        wrong("none of its kind", None, "data.file", "no .safetensors file is there", file="x-*.safetensors"),
        wrong("no folder", None, "data.file", "check data.root and the folders", file="none/x-*.npy"),
        wrong("bracket", None, "data.file", r"and a \[ of a name is written \[\[\]", file="x[layer 3].npy"),
        wrong("no name", None, "data.file", "no file matches", file="a\0-*.npy"),
        wrong("no root", None, "data.file", "check data.root and the folders of the pattern", root="a\0b"),
        wrong("no such home", None, "data.file", "no home folder is known for ~nobody-here", file="~nobody-here/*.npy"),
        wrong("one is a folder", lambda d, x: (d / "z-1.npy").mkdir(), "data.file", "is a folder", file="z-*.npy"),
        wrong(
            "one is empty", lambda d, x: (d / "x-2.npy").write_bytes(b""), "data.file", "x-2.npy must hold something"
        ),
        wrong("half written", torn, "data.file", "x-2.npy says that it holds float32 .* 720 bytes, and 712 follow"),
        wrong(
            "half written safetensors",
            torn_safetensors,
            "data.file",
            "x-2.safetensors must be a whole",
            file="x-*.safetensors",
        ),
        wrong(
            "other tensors",
            other_tensors,
            "data.key",
            "x-2.safetensors has no such tensor",
            file="x-*.safetensors",
            key="acts",
        ),
        wrong(
            "width",
            lambda d, x: np.save(d / "x-2.npy", x[:, :5]),
            "data.file",
            r"'x-2.npy': its samples must be of the size and type of those of x-1.npy, float32 of size \(6,\), not "
            r"float32 of size \(5,\); save all shards alike, or narrow the pattern",
        ),
        wrong(
            "type",
            lambda d, x: np.save(d / "x-10.npy", x.astype(np.float16)),
            "data.file",
            r"'x-10.npy': .* float32 of size \(6,\), not float16 of size \(6,\)",
        ),
        wrong(
            "labels among them",
            lambda d, x: np.save(d / "x-1-labels.npy", np.arange(30)),
            "data.file",
            r"'x-1-labels.npy': must hold floats of size .* not int64 of size \(30,\)",
        ),
        wrong(
            "validation among them",
            None,
            "data.validation_file",
            "'x-2.npy': x-2.npy holds samples of data.file too, so that training would see them; narrow data.file",
            validation_file="x-2.npy",
        ),
        wrong(
            "a label too few",
            lambda d, x: np.save(d / "y-2.npy", np.zeros(29, int)),
            "data.labels",
            r"'y-2.npy': must hold one whole number for each of the 30 samples, not int64 of size \(29,\)",
            labels="y-*.npy",
        ),
        wrong(
            "a class below 0",
            lambda d, x: np.save(d / "y-10.npy", np.full(30, -1)),
            "data.labels",
            "'y-10.npy': classes must be counted from 0",
            labels="y-*.npy",
        ),
        wrong(
            "shards of labels too few",
            lambda d, x: (d / "y-2.npy").unlink(),
            "data.labels",
            r"'y-\*.npy': matches 2 files, and the samples are in 3 files; give one file for all samples, or one for",
            labels="y-*.npy",
        ),
        wrong(
            "shards of labels for one file",
            lambda d, x: np.save(d / "x.npy", x),
            "data.labels",
            "matches 3 files, and the samples lie together",
            file="x.npy",
            labels="y-*.npy",
        ),
        wrong(
            "groups too few",
            lambda d, x: np.save(d / "y-1.npy", np.zeros(31, int)),
            "data.groups",
            "'y-1.npy': must hold one whole number for each of the 30 samples",
            groups="y-*.npy",
        ),
        wrong(
            "groups of other shards",
            lambda d, x: np.save(d / "v.npy", x),
            "data.groups",
            r"matches 2 files, and the samples are in 3 files \(or 4, those with splits of their own too\)",
            groups="y-[12].npy",
            validation_file="v.npy",
        ),
        wrong(
            "a mask of numbers",
            None,
            "data.exclude.mask",
            "'y-1.npy': must hold 0 and 1 only, but its numbers go from 0 to 2",
            exclude=ExcludeSpec(mask="y-*.npy"),
        ),
        wrong("one file of labels", None, "data.labels", "for each of the 90 samples", labels="y-1.npy"),
    ],
)
def test_what_does_not_serve_is_told(tmp_path, x, change, argument, rule, fields):
    if change is not None:
        change(tmp_path, x)
    with pytest.raises(InputError, match=rule) as caught:
        load(tmp_path, **fields)
    assert caught.value.argument == argument


def test_a_value_that_is_no_number_is_told_with_its_shard(tmp_path, x):
    nan(tmp_path, x)
    with pytest.raises(InputError, match=r"data.file: sample 10 of x-2.npy holds a value that is not a finite float32"):
        load(tmp_path).take(torch.arange(90))
    for number in (1, 2, 3):
        np.save(tmp_path / f"v-{number}.npy", x[30 * number - 30 : 30 * number])
    data = load(tmp_path, file="x-1.npy", validation_file="v-*.npy")
    with pytest.raises(InputError, match=r"data.validation_file: sample 10 of v-2.npy holds"):
        data.take(data.validation)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"file": "x-*"}, r"data.file = 'x-\*': a pattern must end in .npy or .safetensors; write the ending out"),
        ({"file": "x.*"}, r"data.file = 'x.\*': a pattern must end in"),
        ({"file": "x-*.[ns]*"}, "a pattern must end in .npy or .safetensors"),
        ({"file": "x-*.csv"}, "a pattern must end in .npy or .safetensors"),
        (
            {"file": "x-*.npy", "key": "acts"},
            "data.key = 'acts': only a .safetensors file has keys, and data.file is n",
        ),
        ({"file": "x.npy", "groups": "g-*"}, r"data.groups = 'g-\*': a pattern must end in"),
    ],
)
def test_patterns_that_cannot_be_right_are_told_before_anything_is_read(fields, message):
    with pytest.raises(ValidationError, match=message):
        ArraySpec(**fields)


def test_a_name_with_brackets_or_a_star_is_the_file_that_has_it(tmp_path, x):
    for name in ("x[layer 3].npy", "x-*.npy"):
        np.save(tmp_path / name, x[:50])
        assert len(load(tmp_path, file=name).x) == 50
    (tmp_path / "of [3]").mkdir()
    np.save(tmp_path / "of [3]" / "a-1.npy", x)
    assert len(load(tmp_path / "of [3]", file="a-*.npy").x) == 90, "a root is no pattern"
    assert len(load(tmp_path, file="x[[]l*.npy").x) == 50


def test_patterns_may_start_at_home_or_anywhere_and_go_into_folders(tmp_path, x, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load("elsewhere", file="~/x-*.npy").x) == 90
    assert len(load("elsewhere", file=str(tmp_path / "x-?.npy")).x) == 60
    for folder in ("run-2", "run-10"):
        (tmp_path / folder / "deep").mkdir(parents=True)
        np.save(tmp_path / folder / "deep" / "a.npy", x[:20] + int(folder[4:]))
    for pattern in ("run-*/deep/a.npy", "run-*/**/*.npy"):
        data = load(tmp_path, file=pattern)
        assert torch.equal(data.take(torch.arange(40)), torch.from_numpy(np.concatenate([x[:20] + 2, x[:20] + 10])))
    np.save(tmp_path / "run-10" / "deep" / "a.npy", x[:, :4])
    with pytest.raises(InputError, match=r"data.file = 'run-10/deep/a.npy': its samples must be"):
        load(tmp_path, file="run-*/deep/a.npy")
