"""The peer: found, refused when it is another package, and never imported with Triton or a network."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from spadam.bench import NotRun, Settings
from spadam.bench.peers import load, peer_over_ours
from spadam.bench.steps import Size
from spadam.bench.timing import Effort

TINY = Size(latents=32, k=3, batch=16, features=24)

STAND_IN = """\
import os
import torch
from types import SimpleNamespace

print("Triton disabled")
SEEN = {name: os.environ.get(name) for name in ("SPARSIFY_DISABLE_TRITON", "HF_HUB_OFFLINE")}
CALLS = []

def SparseCoderConfig(**options):
    return SimpleNamespace(**options)

class SparseCoder(torch.nn.Module):
    def __init__(self, d_in, cfg):
        super().__init__()
        self.cfg, self.encoder = cfg, torch.nn.Linear(d_in, cfg.num_latents)

    def forward(self, x):
        CALLS.append(x)
        return SimpleNamespace(fvu=self.encoder(x).square().sum())
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a module `sparsify` with this text where imports find it."""
    monkeypatch.delitem(sys.modules, "sparsify", raising=False)
    monkeypatch.syspath_prepend(tmp_path)

    def write(text: str) -> None:
        (tmp_path / "sparsify.py").write_text(text)

    yield write
    sys.modules.pop("sparsify", None)


def test_it_runs(package: Any, capsys: pytest.CaptureFixture[str]) -> None:
    package(STAND_IN)
    found = peer_over_ours(TINY, Settings(Effort(least=3, slow=1, most=3, seconds=0.0, warmup=1)))
    assert found.repetitions == 3
    peer = sys.modules["sparsify"]
    assert len(peer.CALLS) == 4
    assert peer.CALLS[0].shape == (16, 24)
    assert peer.SEEN == {"SPARSIFY_DISABLE_TRITON": "1", "HF_HUB_OFFLINE": "1"}
    assert capsys.readouterr().out == "", "what it says at import is not ours to print"
    assert torch.is_grad_enabled()


def test_the_environment_is_as_before(package: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.delenv("SPARSIFY_DISABLE_TRITON", raising=False)
    package(STAND_IN)
    load()
    import os

    assert os.environ["HF_HUB_OFFLINE"] == "0"
    assert "SPARSIFY_DISABLE_TRITON" not in os.environ


def test_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sparsify", None)
    with pytest.raises(NotRun, match="pip install --group bench"):
        load()


def test_another_package_of_that_name(package: Any) -> None:
    package("")
    with pytest.raises(NotRun, match="another one than eai-sparsify"):
        load()
