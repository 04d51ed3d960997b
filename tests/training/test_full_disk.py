"""A training whose files cannot be written: told with path and cause, if it is known before a step."""

import errno
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spadam.config import RunConfig
from spadam.spec import Document, validate
from spadam.training.run import run


@pytest.fixture
def limit() -> Iterator[Callable[[int], None]]:
    """Let no file grow beyond so many bytes, as `ulimit -f` does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def unlimit() -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def config() -> RunConfig:
    data = {"name": "synthetic", "samples": 200, "features": 16, "atoms": 16, "active": 2, "batch_size": 32}
    model = {"latents": 64, "rule": {"name": "top_k", "k": 2}}
    trainer = {"epochs": 2, "kernels": "reference"}
    plain = {"data": data, "model": model, "optimizer": {"name": "adam"}, "trainer": trainer, "probe": None}
    return validate(RunConfig, Document({**plain, "tracking": {"mode": "disabled"}}, {}, "config"))


def test_weights_that_will_not_fit_are_told_before_a_step(limit: Callable[[int], None], tmp_path: Path) -> None:
    steps: list[int] = []
    limit(4000)
    with pytest.raises(OSError, match="the weights take 4480 bytes, and the limit is 4000") as caught:
        run(config(), tmp_path / "out", progress=lambda progress: steps.append(progress.step))
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(tmp_path / "out" / "model.safetensors"))
    assert not steps


@pytest.mark.parametrize("size", [5000, 12000])
def test_a_checkpoint_that_does_not_fit_hides_no_cause(
    size: int, limit: Callable[[int], None], unlimit: Callable[[], None], tmp_path: Path
) -> None:
    """torch says of it that its archive is not whole."""
    limit(size)
    with pytest.raises(OSError, match="File too large") as caught:
        run(config(), tmp_path / "out")
    assert caught.value.errno == errno.EFBIG
    assert str(caught.value.filename).startswith(str(tmp_path / "out" / "checkpoints" / "step-"))
    unlimit()
    again, whole = run(config(), tmp_path / "out"), run(config(), tmp_path / "whole")
    assert again.metrics["val/fvu"] == whole.metrics["val/fvu"]


def test_a_full_disk_is_told_before_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 4000}))
    with pytest.raises(OSError, match="the weights take 4480 bytes, and 4000 are free") as caught:
        run(config(), tmp_path / "out")
    assert caught.value.errno == errno.ENOSPC
