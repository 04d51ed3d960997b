"""What the image's build hands to pip: a stand-in notes it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.docker.build import locked
from support.paths import ROOT

INSTALL = ROOT / "docker" / "install.sh"

PIP = """#!/bin/sh
echo "$@" >> calls
"""

Calls = list[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "docker" / "requirements.lock", tmp_path)
    (tmp_path / "pip").write_text(PIP)
    (tmp_path / "pip").chmod(0o755)
    return tmp_path


def install(folder: Path, *words: str) -> Calls:
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", INSTALL, *words], cwd=folder, env={"PATH": path}, check=True)
    return (folder / "calls").read_text().splitlines()


def test_with_cuda_everything_has_a_hash(folder: Path) -> None:
    (call,) = install(folder, "cuda", "https://index.example")
    assert "--require-hashes" in call
    assert call.endswith("--requirement requirements.lock")


def test_without_cuda_torch_alone_comes_from_its_index_in_the_same_release(folder: Path) -> None:
    first, second = install(folder, "cpu", "https://index.example")
    assert "--require-hashes" in first
    torch, vision = (locked()[name] for name in ("torch", "torchvision"))
    assert second.endswith(f"--index-url https://index.example torch=={torch} torchvision=={vision}")
    left = set(re.findall(r"^([a-z0-9._-]+)==", (folder / "without.lock").read_text(), re.MULTILINE))
    gone = locked().keys() - left
    assert gone >= {"torch", "torchvision", "triton", "nvidia-cudnn-cu13"}
    assert all(re.match(r"torch$|torchvision$|triton$|cuda-|nvidia-", name) for name in gone)


def test_another_kind_is_refused(folder: Path) -> None:
    refused = subprocess.run(["sh", INSTALL, "tpu", ""], cwd=folder, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr) == (2, "TORCH must be cuda or cpu, and is tpu\n")
