"""The data of a sweep on its nodes: what arrives is what the agent has, or nothing is trained."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spadam.data import ArraySpec, SyntheticSpec, source
from spadam.data.samples import Samples
from spadam.spec import InputError
from spadam.sweep.running.cluster import samples
from spadam.sweep.running.cluster.samples import receive, ship

SPEC = SyntheticSpec(samples=50, features=4, atoms=16, active=2, batch_size=10)


@pytest.fixture(autouse=True)
def _another_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is received here is forgotten."""
    monkeypatch.setattr(source, "_given", {})
    monkeypatch.setattr(samples, "_received", set())
    source._read.cache_clear()
    yield
    source._read.cache_clear()


def shipped(spec: SyntheticSpec) -> dict[str, Any]:
    """As Ray hands it on: arrays that cannot be written to."""
    found = ship(spec.load().samples)
    for value in found.values():
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    return found


def test_samples_arrive_as_they_were_and_serve_every_split(monkeypatch: pytest.MonkeyPatch) -> None:
    expected, parts = SPEC.load(), shipped(SPEC)
    source._read.cache_clear()
    monkeypatch.setattr(SyntheticSpec, "read", None)  # no file is read, and nothing made
    receive(SPEC, expected.content_hash(), parts)
    other = SPEC.model_copy(update={"train_size": 20, "batch_size": 5})
    assert SPEC.load().content_hash() == expected.content_hash()
    assert len(other.load().train) == 20
    assert other.load().x.data_ptr() == parts["x"].ctypes.data, "they are not copied"


def test_targets_arrive_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Samples(torch.rand(50, 7), image_shape=(1, 7), argument="data.target")
    whole = replace(SPEC.load().samples, target=target)
    source.give(SPEC, whole)
    expected, parts = SPEC.load().content_hash(), shipped(SPEC)
    monkeypatch.setattr(source, "_given", {})
    receive(SPEC, expected, parts)
    arrived = SPEC.load().samples.target
    assert arrived is not None
    assert torch.equal(arrived.x, target.x)
    assert (arrived.image_shape, arrived.argument) == ((1, 7), "data.target")


def test_other_samples_are_refused_by_the_name_of_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "node-7")
    with pytest.raises(InputError, match=r"the agent's data \(00000000\), and node node-7 has other") as caught:
        receive(SPEC, "0" * 64, shipped(SPEC))
    assert caught.value.argument == "data.root"


def test_a_mapped_file_must_lie_on_the_node_and_be_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "node-7")
    spec = ArraySpec(root=str(tmp_path), file="x.npy", batch_size=2)
    np.save(tmp_path / "x.npy", np.ones((20, 3), np.float32))
    expected = spec.load().content_hash()
    receive(spec, expected, None)
    np.save(tmp_path / "x.npy", np.zeros((20, 3), np.float32))
    with pytest.raises(InputError, match="node node-7 has other"):
        receive(spec, expected, None)
    (tmp_path / "x.npy").unlink()
    with pytest.raises(InputError, match="on node node-7: "):
        receive(spec, expected, None)


def test_shards_must_all_lie_on_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "node-7")
    spec = ArraySpec(root=str(tmp_path), file="x-*.npy", batch_size=2)
    for number in (1, 2):
        np.save(tmp_path / f"x-{number}.npy", np.ones((20, 3), np.float32))
    lot = samples.Shelf().lot(spec)
    assert lot.samples is None, "they are not sent"
    receive(spec, lot.expected, None)
    (tmp_path / "x-2.npy").unlink()
    with pytest.raises(InputError, match="node node-7 has other"):
        receive(spec, lot.expected, None)
    (tmp_path / "x-1.npy").unlink()
    with pytest.raises(InputError, match=r"on node node-7: no file matches .*x-\*.npy"):
        receive(spec, lot.expected, None)
