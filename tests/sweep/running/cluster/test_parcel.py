"""A folder comes home as it was, and nothing that a node could send lands elsewhere."""

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from spadam.sweep.running.cluster.parcel import ForeignParcel, Parcel, pack, unpack


def parcel_of(*members: tarfile.TarInfo) -> Parcel:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size) if member.isreg() else None)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def plain(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = 1
    return info


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if not p.is_dir()}


def make(folder: Path) -> Path:
    (folder / "wandb" / "offline-run").mkdir(parents=True)
    (folder / "result.json").write_text("{}")
    (folder / "wandb" / "offline-run" / "run.wandb").write_bytes(bytes(range(256)))
    (folder / ".lock").touch()
    (folder / "wandb" / "latest-run").symlink_to((folder / "wandb" / "offline-run").absolute())
    (folder / "wandb" / "debug.log").symlink_to("/etc/hostname")
    return folder


def test_a_folder_arrives_as_it_was_without_links_and_locks(tmp_path: Path) -> None:
    parcel = pack(make(tmp_path / "there"))
    unpack(parcel, tmp_path / "home" / "run")
    arrived = files(tmp_path / "home" / "run")
    assert arrived == {"result.json": b"{}", "wandb/offline-run/run.wandb": bytes(range(256))}
    assert os.listdir(tmp_path / "home") == ["run"]


def test_only_what_is_asked_for_is_packed(tmp_path: Path) -> None:
    unpack(pack(make(tmp_path / "there"), ["result.json", "model.safetensors"]), tmp_path / "run")
    assert list(files(tmp_path / "run")) == ["result.json"]


def test_what_stood_there_before_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / "step-1.ckpt").touch()
    unpack(parcel_of(plain("result.json")), tmp_path / "run")
    assert files(tmp_path / "run") == {"result.json": b"x"}
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.parametrize(
    "member",
    [
        plain("/tmp/spadam-escaped"),
        plain("../escaped"),
        plain("checkpoints/../../escaped"),
        plain("./escaped"),
        plain(".."),
        special("link", tarfile.SYMTYPE, "/etc"),
        special("link", tarfile.SYMTYPE, "result.json"),
        special("link", tarfile.LNKTYPE, "result.json"),
        special("pipe", tarfile.FIFOTYPE),
        special("device", tarfile.CHRTYPE),
        special("folder", tarfile.DIRTYPE),
        plain("result.json"),  # for the second time
    ],
    ids=lambda member: f"{member.name} {member.linkname}",
)
def test_what_is_no_plain_file_below_the_folder_is_refused(member: tarfile.TarInfo, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(ForeignParcel, match=r"outside|no plain file|twice"):
        unpack(parcel_of(plain("result.json"), member), tmp_path / "a" / "run")
    assert files(tmp_path) == {}, "not even what came before it"
    assert not Path("/tmp/spadam-escaped").exists()


def test_a_torn_parcel_leaves_nothing(tmp_path: Path) -> None:
    whole = pack(make(tmp_path / "there"))
    with pytest.raises(tarfile.TarError):
        unpack(whole[:700], tmp_path / "a" / "run")
    assert os.listdir(tmp_path / "a") == []
