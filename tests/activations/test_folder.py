"""A folder of activations is whole or says that it is not; what was interrupted goes on; nothing is written over."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from activations.conftest import Call, Found
from support.paths import ROOT

FILES = {"documents.npy", "tokens.npy", "special.npy", "activations.json"}
SMALL = {"layer": 2, "max_tokens": 24, "dtype": "float32", "shard_mb": 0.001}
"""Shards of 31 rows."""


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def stamps(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir() if path.suffix}


def test_the_same_again_says_done_and_touches_nothing(call: Call, text: Path, tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "acts"
    assert call(model=tiny, text=text, out=out, **SMALL)[0] == 0
    assert names(out) >= FILES
    assert ".partial" not in names(out)
    before = stamps(out)
    moved = shutil.copytree(tiny, tmp_path / "elsewhere")
    for model in (tiny, moved):
        code, said, _ = call(model=model, text=text, out=out, **SMALL)
        assert code == 0
        assert said.startswith(f"done already: {out} holds these activations")
    assert stamps(out) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"layer": 1}, "layer is 2 there, 1 here"),
        (
            {"dtype": "float16", "max_tokens": 20},
            "max_tokens is 24 there, 20 here; dtype is float32 there, float16 here",
        ),
        ({"text": "other"}, "the text is another"),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_other_activations_are_not_written_over(
    call: Call, text: Path, tiny: Path, tmp_path: Path, change: dict[str, object], told: str, whole: bool
) -> None:
    out = tmp_path / "acts"
    call(model=tiny, text=text, out=out, **SMALL)
    if not whole:
        take_apart(out)
    other = tmp_path / "other.txt"
    other.write_text("another text\n")
    before = stamps(out)
    asked = {"text": text, **SMALL, **change}
    asked["text"] = other if asked["text"] == "other" else text
    code, _, said = call(model=tiny, out=out, **asked)
    assert code == 2
    assert f"it holds other activations: {told}" in said
    assert stamps(out) == before


def take_apart(out: Path, shards: int = 2) -> None:
    """As it is when the first ``shards`` shards are done."""
    summary = json.loads((out / "activations.json").read_text())
    partial = out / ".partial"
    partial.mkdir()
    (partial / "settings.json").write_text(json.dumps(summary["settings"]))
    for n, name in enumerate(summary["files"]):
        if n < shards:
            (out / name).rename(partial / name)
        else:
            (out / name).unlink()
    (out / "activations.json").unlink()


@pytest.mark.parametrize("shards", [0, 1, 3])
def test_what_was_interrupted_goes_on_with_the_same_bits(
    call: Call, text: Path, tiny: Path, tmp_path: Path, shards: int
) -> None:
    out = tmp_path / "acts"
    call(model=tiny, text=text, out=out, **SMALL)
    before = {name: content for name, (_, content) in stamps(out).items() if name != "activations.json"}
    assert len(before) > shards + len(FILES)
    take_apart(out, shards)
    kept = {path.name: path.stat().st_mtime_ns for path in (out / ".partial").glob("acts-*")}
    assert len(kept) == shards
    assert call(model=tiny, text=text, out=out, **SMALL)[0] == 0
    after = stamps(out)
    assert {name: content for name, (_, content) in after.items() if name != "activations.json"} == before
    assert {name: after[name][0] for name in kept} == kept
    assert ".partial" not in names(out)


def test_one_that_was_killed_while_files_were_moved_goes_on(call: Call, text: Path, tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "acts"
    call(model=tiny, text=text, out=out, **SMALL)
    before = Found(out).rows
    take_apart(out, len(Found(out).summary["files"]))
    (out / ".partial/acts-00000.safetensors").rename(out / "acts-00000.safetensors")
    assert call(model=tiny, text=text, out=out, **SMALL)[0] == 0
    assert Found(out).rows.equal(before)


def test_files_of_which_nothing_is_known_are_left_alone(call: Call, text: Path, tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "acts"
    out.mkdir()
    (out / "acts-00000.safetensors").write_bytes(b"mine")
    (out / "notes.md").write_text("mine")
    code, _, said = call(model=tiny, text=text, out=out, **SMALL)
    assert code == 2
    assert "acts-00000.safetensors is there, and no activations.json says of what" in said
    (out / "acts-00000.safetensors").unlink()
    assert call(model=tiny, text=text, out=out, **SMALL)[0] == 0
    assert (out / "notes.md").read_text() == "mine"


def test_a_lost_shard_and_a_damaged_summary_are_told(call: Call, text: Path, tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "acts"
    call(model=tiny, text=text, out=out, **SMALL)
    (out / "acts-00001.safetensors").unlink()
    code, _, said = call(model=tiny, text=text, out=out, **SMALL)
    assert (code, "activations.json names acts-00001.safetensors, which is not there" in said) == (2, True)
    (out / "activations.json").write_text("{")
    code, _, said = call(model=tiny, text=text, out=out, **SMALL)
    assert (code, "activations.json must be what this command has written, and is not" in said) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_an_interruption_leaves_nothing_that_looks_whole(
    call: Call, tiny: Path, tmp_path: Path, number: int, code: int
) -> None:
    text, out = tmp_path / "text.txt", tmp_path / "acts"
    text.write_text("a line of a text that is long enough to be killed in the middle of it\n" * 4000)
    asked = {"model": tiny, "text": text, **SMALL, "threads": 1, "batch_size": 1}
    options = [f"--{name.replace('_', '-')}={value}" for name, value in asked.items()]
    command = [sys.executable, str(ROOT / "cli.py"), "activations", *options, f"--out={out}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while len(list(out.glob(".partial/acts-*"))) < 3:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid, number)
        said = process.communicate()[1]
    assert process.returncode == code
    assert said == ("" if code == -9 else "interrupted: the same command goes on from the last shard\n")
    assert names(out) <= {".partial", ".lock"}
    there = names(out / ".partial")
    temporary = {name for name in there if name.startswith(".acts-")}
    assert len(temporary) <= (code == -9)  # nobody is left who could remove it
    assert "settings.json" in there
    assert "documents.npy" not in there
