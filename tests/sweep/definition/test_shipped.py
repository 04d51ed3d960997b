"""Every sweep of sweeps/: it loads, both ends of its ranges are trainable, and it runs from its file to its page."""

import gzip
import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from spadam import report
from spadam.spec import dump, load, merge
from spadam.sweep.definition import reading
from spadam.sweep.outcome.table import rows
from spadam.sweep.running.task import train as train_task
from support.paths import ROOT
from support.sweep_bench import Bench

SHIPPED = sorted((ROOT / "sweeps").rglob("*.yaml"))
SHAPES = {"train-images-idx3": (240, 28, 28), "train-labels-idx1": (240,), "t10k-images-idx3": (60, 28, 28)}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny set in the four files of MNIST, with classes that can be told apart."""
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    for name, shape in {**SHAPES, "t10k-labels-idx1": (60,)}.items():
        labels = np.arange(shape[0]) % 10
        array = labels
        if len(shape) == 3:
            means = np.random.default_rng(1).integers(0, 200, (10, 28, 28))
            array = means[labels] + generator.integers(0, 56, shape)
        header = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)
        (folder / f"{name}-ubyte.gz").write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))
    return folder


@pytest.fixture(scope="module")
def activations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few tokens of a few documents, in the files that `spadam activations` writes."""
    folder = tmp_path_factory.mktemp("activations")
    generator = np.random.default_rng(0)
    directions = generator.normal(size=(20, 24))
    tokens = directions[generator.integers(0, 20, 400)] + generator.normal(0, 0.1, (400, 24))
    save_file({"activations": tokens.astype(np.float16)}, folder / "acts-00000.safetensors")
    np.save(folder / "documents.npy", np.arange(400) // 10)
    np.save(folder / "special.npy", np.arange(400) % 10 == 0)
    return folder


def shrink(path: Path, images: Path, activations: Path) -> dict[str, Any]:
    """The sweep in ``path``, smaller, and otherwise as it is."""
    given = load(path).data
    all_of_it = {"batch_size": 32, "train_size": None, "validation_size": None}
    own = given["base"]["data"]["name"] in ("digits", "synthetic")
    data = {"batch_size": 32} if own else {"root": str(images), **all_of_it}
    if given["base"]["data"]["name"] == "array":
        data = {"root": str(activations), "file": "acts-*.safetensors", "test_size": None, **all_of_it}
    small = {
        "data": data,
        "model": {"latents": 256, "rule": {"k": 4}},
        "trainer": {"epochs": None, "steps": 3, "evaluate_every": "epoch"},
    }
    seeds = 2 if given.get("claims") else 1
    search = {} if given["search"]["sampler"] == "grid" else {"trials": 2}
    space = {key: {"points": 2} for key, axis in given.get("space", {}).items() if "points" in axis}
    few = {"search": {**search, "studies": 1}, "space": space, "repeat": {"seeds": seeds}}
    if path.parent.name == "findings":  # the first two of as many as eighteen, and what is claimed of them
        small["tracking"] = {"mode": "disabled"}
        given["variants"] = dict(itertools.islice(given["variants"].items(), 2))
        given["claims"] = [one for one in given.get("claims", []) if set(one["variants"]) <= set(given["variants"])]
        given["compare"] = {}
    return merge(given, {"base": small, **few})


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_it_loads_and_both_ends_of_every_range_can_be_trained(path: Path) -> None:
    sweep = reading.load(path)
    assert sweep.name == path.stem
    for variant in sweep.variants.values():
        ends = variant.corners
        assert len(ends) == 2 ** len(variant.axes)
        for config in ends:
            assert config.optimizer.build([torch.nn.Parameter(torch.zeros(2, 2))]).param_groups[0]["lr"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_it_runs_from_its_file_to_its_page(path: Path, images: Path, activations: Path, bench: Bench) -> None:
    bench.spec.write_text(dump(shrink(path, images, activations)))
    assert bench.run(train_task) == 0
    report.write(bench.outcome())
    sweep, searches = bench.read()
    found = rows(sweep, searches)
    trials, repeats = ([row for row in found if row["phase"] == phase] for phase in ("search", "repeat"))
    assert len(trials) == len(sweep.variants) * sweep.trials
    assert {row["variant"] for row in repeats} == {row["variant"] for row in trials if row["status"] == "complete"}
    assert {row["status"] for row in found} <= {"complete", "diverged"}
    page = (bench.out / sweep.name / "report.html").read_text()
    assert all(name in page for name in sweep.variants)
