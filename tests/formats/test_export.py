"""Exporting a training's folder: what is found, what is written, what is left alone, and what people get wrong."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import spadam
from spadam.files import strict_json
from spadam.spec import InputError
from support import short_training

FILES = ["cfg.json", "sae_weights.safetensors"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    spadam.run(short_training.config(model={"activation": "relu"}, trainer={"epochs": 1}), folder)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def told(folder: Path, out: Path | None = None) -> InputError:
    with pytest.raises(InputError) as error:
        spadam.export(folder, "saelens", out)
    return error.value


def test_two_files_lie_in_the_trainings_folder_or_where_one_says(run: Path, tmp_path: Path) -> None:
    before = names(run)
    assert spadam.export(run, to="saelens") == run / "saelens"
    assert names(run) == sorted([*before, "saelens"])
    assert names(run / "saelens") == FILES
    assert spadam.export(str(run), out=tmp_path / "deep" / "out") == tmp_path / "deep" / "out"
    for name in FILES:
        assert (run / "saelens" / name).read_bytes() == (tmp_path / "deep" / "out" / name).read_bytes()


def test_it_says_what_was_trained_and_names_no_place(run: Path) -> None:
    config = json.loads((spadam.export(run) / "cfg.json").read_text())
    result = json.loads((run / "result.json").read_text())
    assert config.pop("metadata") == {
        "sae_lens_version": "6.54.12",
        "trained_by": f"spadam {spadam.__version__}",
        "trained_on": "digits",
        "trained_on_hash": result["provenance"]["data"],
        "optimizer": "lazy_adam",
    }
    assert (config["architecture"], config["d_in"], config["d_sae"], config["k"]) == ("topk", 64, 64, 4)
    assert str(run.parent) not in strict_json(config)
    shapes = {name: tuple(value.shape) for name, value in load_file(run / "saelens" / FILES[1]).items()}
    assert shapes == {"W_enc": (64, 64), "W_dec": (64, 64), "b_enc": (64,), "b_dec": (64,)}


def test_what_is_there_and_the_same_is_left_and_what_is_missing_is_written(run: Path) -> None:
    out = spadam.export(run)
    (out / "notes.txt").write_text("mine")
    inode = (out / FILES[1]).stat().st_ino
    (out / FILES[0]).unlink()
    spadam.export(run)
    assert names(out) == sorted([*FILES, "notes.txt"])
    assert (out / FILES[1]).stat().st_ino == inode


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["another", "damaged", "a folder"])
def test_another_file_of_the_name_is_not_overwritten(run: Path, tmp_path: Path, name: str, how: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    if how == "a folder":
        (out / name).mkdir()
    elif how == "another" and name.endswith("safetensors"):
        save_file({"W_enc": torch.zeros(2)}, out / name)
    else:
        (out / name).write_bytes(b"\xff\xfe" if how == "damaged" else b"{}\n")
    error = told(run, out)
    assert (error.argument, error.value) == ("--out", str(out))
    assert name in error.rule
    assert names(out) == [name]


def test_a_sweeps_slot_is_taken_by_its_attempt_that_has_ended(run: Path, tmp_path: Path) -> None:
    slot = tmp_path / "mine" / "lazy" / "repeat-0"
    (slot / "attempt-0").mkdir(parents=True)
    shutil.copy(run / "config.yaml", slot / "attempt-0")
    shutil.move(run, slot / "attempt-1")
    assert spadam.export(slot) == slot / "attempt-1" / "saelens"
    error = told(tmp_path / "mine")
    assert "those of several" in error.rule
    assert str(slot / "attempt-1") in error.remedy


def test_folders_without_a_finished_training_are_told(run: Path, tmp_path: Path) -> None:
    assert f"did you mean {run}?" in told(tmp_path / "rum").remedy
    assert "must be a folder" in told(run / "config.yaml").rule
    for name in ("x\0y", "x" * 5000):
        assert "there must be such a folder" in told(tmp_path / name).rule
    (tmp_path / "empty").mkdir()
    assert "holds no result.json" in told(tmp_path / "empty").rule
    result = (run / "result.json").read_text()
    (run / "result.json").unlink()
    assert "has no result yet" in told(run).rule
    for damaged in ("{", "[]", "{}", result.replace('"provenance"', '"p"'), "\0"):
        (run / "result.json").write_text(damaged)
        assert "damaged" in told(run).rule
    (run / "result.json").write_text(result)
    weights = (run / "model.safetensors").read_bytes()
    (run / "model.safetensors").unlink()
    assert told(run).argument == "folder"
    (run / "model.safetensors").write_bytes(weights[:100])
    assert "whole .safetensors file" in told(run).rule
    assert not (run / "saelens").exists()


def test_a_diverged_training_is_told(run: Path) -> None:
    tensors = load_file(run / "model.safetensors")
    tensors["encoder_weight"][3, 4] = torch.nan
    save_file(tensors, run / "model.safetensors")
    assert "finite" in told(run).rule


def test_a_place_that_cannot_be_one_is_told(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        assert told(run, out).argument == "--out"


def test_an_unknown_library_is_told(run: Path) -> None:
    with pytest.raises(InputError, match="it must be one of saelens"):
        spadam.export(run, to="sae_lens")  # type: ignore[arg-type]
