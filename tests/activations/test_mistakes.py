"""Every mistake is told in one message, with exit code 2, and nothing is written."""

import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from activations.conftest import Call
from spadam.activations import extraction
from spadam.cli import app
from support.paths import ROOT
from support.tiny_transformers import save


@pytest.fixture
def refused(call: Call, text: Path, tiny: Path, tmp_path: Path) -> Any:
    """What is said of a command with these options instead of good ones."""

    def run(**options: object) -> str:
        out = tmp_path / "acts"
        code, printed, said = call(**{"model": tiny, "layer": 1, "text": text, "out": out, **options})
        assert (code, printed) == (2, "")
        assert "Traceback" not in said
        assert not out.exists()
        return said

    return run


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "must hold something, and is empty"),
        (b"\n  \r\n\n", "must hold a document, and all that it holds is empty"),
        (b"\x01\n", "must hold a document, and all that it holds is empty"),
        (b"good\nb\xe4d\n", "must be UTF-8, and byte 1 of line 2 is not (invalid continuation byte)"),
        ("zwölf".encode("utf-16"), "must be UTF-8, and byte 0 of line 1 is not (invalid start byte)"),
    ],
)
def test_a_text_that_is_none(refused: Any, tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "wrong.txt"
    path.write_bytes(content)
    assert told in refused(text=path)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"text": "a"', "line 2 must be JSON (Expecting ',' delimiter"),
        ("[" * 100_000, "line 2 must be JSON"),
        ('["a"]', "line 2 must be an object with the key 'text', and is list"),
        ('{"body": "a", "id": 1}', "line 2 has no such key; there are: 'body', 'id'"),
        ('{"text": null}', "line 2 must hold a text there, and holds NoneType"),
        (r'{"text": "\ud800"}', "line 2 holds half a character (a lone surrogate)"),
    ],
    ids=lambda value: value[:20],
)
def test_a_record_that_is_none(refused: Any, tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "wrong.jsonl"
    path.write_text(json.dumps({"text": "good"}) + "\n" + line + "\n")
    assert told in refused(text=path)


def test_a_file_that_is_not_there_or_of_another_kind(refused: Any, text: Path, tmp_path: Path) -> None:
    said = refused(text=tmp_path / "txt.txt")
    assert "there must be such a file" in said
    assert f"did you mean {text}?" in said
    assert "must be a file, and is a folder" in refused(text=tmp_path)
    (tmp_path / "text.csv").write_text("a,b\n")
    assert "must be a .txt, whose lines are documents, or a .jsonl" in refused(text=tmp_path / "text.csv")
    assert "only the records of a .jsonl have keys" in refused(text_key="text")


@pytest.mark.parametrize("layer", [-1, 4])
def test_a_layer_that_is_not_there(refused: Any, layer: int) -> None:
    said = refused(layer=layer)
    assert f"--layer = {layer}\n" in said
    assert "must be from 0 (the embeddings) to 3 (the output of the last block of this model)" in said


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_tokens": 2}, "must be 3 or more, for 2 special tokens stand around every window"),
        ({"max_tokens": 65}, "this model takes at most 64"),
        ({"shard_mb": 0}, "must be over 0"),
        ({"shard_mb": "nan"}, "must be over 0"),
        ({"shard_mb": -1}, "must be over 0"),
        ({"revision": "main"}, "only a name of the hub has revisions"),
        ({"model": "./nowhere"}, "there must be such a folder"),
        ({"model": "~/nowhere"}, "there must be such a folder"),
        ({"model": "not a name"}, "transformers must be able to load its config.json"),
    ],
    ids=str,
)
def test_options_that_do_not_go(refused: Any, options: dict[str, object], told: str) -> None:
    assert told in refused(**options)


@pytest.mark.parametrize(
    ("removed", "told"),
    [
        (["config.json"], "load its config.json"),
        (["model.safetensors"], "load its weights (OSError: Error no file named model.safetensors"),
        (["tokenizer.json", "tokenizer_config.json"], "its tokenizer must know words, and has 5 tokens, all of them"),
        (["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"], "load its config.json"),
    ],
)
def test_a_model_that_is_not_all_there(refused: Any, tiny: Path, tmp_path: Path, removed: list[str], told: str) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    for name in removed:
        (folder / name).unlink()
    assert told in refused(model=folder)


def test_weights_that_are_cut_off_missing_or_of_another_model(refused: Any, tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    file = folder / "model.safetensors"
    weights = load_file(file)
    file.write_bytes(file.read_bytes()[:-100])
    assert "load its weights (SafetensorError" in refused(model=folder)
    lost = weights.pop("encoder.layer.2.output.dense.weight")
    save_file(weights, file, {"format": "pt"})
    said = refused(model=folder)
    assert "must hold all weights, and 1 are missing, such as encoder.layer.2.output.dense.weight" in said
    save_file({**weights, "encoder.layer.2.output.dense.weight": lost[:, :8].clone()}, file, {"format": "pt"})
    assert "load its weights" in refused(model=folder)
    few = {**weights, "encoder.layer.2.output.dense.weight": lost}
    few["embeddings.word_embeddings.weight"] = few["embeddings.word_embeddings.weight"][:99].clone()
    save_file(few, file, {"format": "pt"})
    (folder / "config.json").write_text(
        json.dumps(json.loads((folder / "config.json").read_text()) | {"vocab_size": 99})
    )
    assert "its tokenizer has 30522 tokens, and the model only 99 embeddings" in refused(model=folder)


def test_a_value_that_the_type_does_not_hold(call: Call, text: Path, tmp_path: Path) -> None:
    folder = save("gpt2", tmp_path / "huge", scale=1e6)
    asked = {"model": folder, "layer": 0, "text": text, "out": tmp_path / "acts"}
    code, _, said = call(**asked, dtype="float16")
    assert code == 2
    assert "--dtype = 'float16'" in said
    assert "must hold every value, and token " in said
    assert not (tmp_path / "acts/activations.json").exists()
    assert call(**{**asked, "out": tmp_path / "other"}, dtype="bfloat16")[0] == 0


def test_a_model_that_gives_no_numbers(call: Call, text: Path, tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.LayerNorm.bias"][0] = torch.nan
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    code, _, said = call(model=folder, layer=1, text=text, out=tmp_path / "acts")
    assert code == 2
    assert "the model must give finite numbers, and for token " in said


def test_no_room(monkeypatch: pytest.MonkeyPatch, call: Call, text: Path, tiny: Path, tmp_path: Path) -> None:
    room = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(extraction.shutil, "disk_usage", lambda _: room)
    code, _, said = call(model=tiny, layer=1, text=text, out=tmp_path / "acts")
    assert code == 2
    assert "and 100 B are free there" in said


def test_a_folder_that_cannot_be_written(call: Call, text: Path, tiny: Path) -> None:
    code, _, said = call(model=tiny, layer=1, text=text, out=text)
    assert (code, "the output folder must be writable" in said) == (2, True)


@pytest.mark.parametrize(
    ("found", "rule"),
    [(None, "transformers must be installed"), ("4.57.1", "must be 5.20 or newer, below 6, and is 4.57.1")],
)
def test_the_extra_is_not_installed(
    refused: Any, monkeypatch: pytest.MonkeyPatch, found: str | None, rule: str
) -> None:
    def version(name: str) -> str:
        if found is None:
            raise metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr("spadam.activations.installed.version", version)
    said = refused()
    assert rule in said
    assert "pip install 'spadam[activations]'" in said


def test_no_network(text: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "cli.py"), "activations", "--model=someone/no-such-model", "--layer=1"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache"), "COLUMNS": "200"}
    done = subprocess.run(
        [*command, f"--text={text}", f"--out={tmp_path / 'acts'}"], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 2
    assert "--model = 'someone/no-such-model'" in done.stderr
    assert "or check the name and the network" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "acts").exists()


def test_the_help_fits_80_columns() -> None:
    helped = CliRunner().invoke(app, ["activations", "--help"], env={"COLUMNS": "80"})
    assert helped.exit_code == 0
    assert max(map(len, helped.output.splitlines())) <= 80
    for word in ("--model", "--layer", "hidden_states[N]", "--text-key", "activations.json", "documents.npy"):
        assert word in helped.output
