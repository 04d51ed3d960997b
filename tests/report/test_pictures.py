"""Decoder pictures: of the right model, in the right order, and left out in words where they cannot be."""

import base64
import io
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from spadam.config import RunConfig
from spadam.diagnostics.pictures import decoder_picture
from spadam.report import write
from spadam.spec import load, validate
from support.report_bench import Desk, Page


def shown(uri: str | None) -> np.ndarray[Any, Any]:
    assert uri is not None
    kind, _, data = uri.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def expected(attempt: Path) -> np.ndarray[Any, Any]:
    """The picture of a training, its start drawn as the training drew it."""
    rows_LD = load_file(attempt / "model.safetensors")["encoder_weight"]
    config = validate(RunConfig, load(attempt / "config.yaml"))
    start_LD = config.model.begin(config.data.load(), config.seed).decoder_rows.detach().numpy()
    moved_L = np.linalg.norm(rows_LD - start_LD, axis=1)
    assert len(set(moved_L)) > 8
    return decoder_picture(rows_LD, (8, 8), most=64, order=np.argsort(-moved_L, kind="stable").tolist())


@pytest.fixture
def page(digits: Desk, tmp_path: Path) -> Page:
    return digits.page(tmp_path)


def test_every_variant_shows_its_first_repeat_and_the_rows_that_moved_most(digits: Desk, page: Page) -> None:
    images = page.names("img")
    assert len(images) == 2
    for image, variant in zip(images, ("adam", "lazy"), strict=True):
        picture = expected(digits.folder / variant / "repeat-0" / "attempt-0")
        assert np.array_equal(shown(image["src"]), picture)
        assert f"32 decoder rows of {variant}, repeat-0" in str(image["alt"])
        assert (image["height"], image["width"]) == tuple(map(str, picture.shape[:2]))


def test_without_its_repeat_the_best_trial_is_shown(digits: Desk, tmp_path: Path) -> None:
    shutil.copytree(digits.folder, tmp_path / "lr-eps")
    for folder in (tmp_path / "lr-eps" / "lazy").glob("repeat-*"):
        shutil.rmtree(folder)
    found = digits.outcome()
    page = Page(write(replace(found, folder=tmp_path / "lr-eps")))
    assert "32 decoder rows of lazy, search-" in str(page.names("img")[1]["alt"])
    shutil.rmtree(tmp_path / "lr-eps" / "lazy")
    page = Page(write(replace(found, folder=tmp_path / "lr-eps")))
    assert len(page.names("img")) == 1
    assert "Without pictures, for want of weights or of images: lazy." in page.texts["pictures"]


def test_a_damaged_file_of_weights_is_no_reason_to_fail(digits: Desk, tmp_path: Path) -> None:
    shutil.copytree(digits.folder, tmp_path / "lr-eps")
    for path in (tmp_path / "lr-eps").rglob("model.safetensors"):
        path.write_bytes(path.read_bytes()[:100])
    found = digits.outcome()
    page = Page(write(replace(found, folder=tmp_path / "lr-eps")))
    assert page.names("img") == []
    assert "No model of images is there" in page.texts["pictures"]


def test_data_that_are_no_images_have_no_pictures(ended: Desk) -> None:
    assert "No model of images is there" in ended.page().texts["pictures"]


@pytest.mark.parametrize(("shape", "images"), [((40, 4, 6), 2), ((40, 24), 0)])
def test_the_file_of_an_array_says_whether_it_holds_images(
    desk: Desk, tmp_path: Path, shape: tuple[int, ...], images: int
) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random(shape, np.float32))
    data = {"name": "array", "root": str(tmp_path), "file": "x.npy", "batch_size": 16}
    desk.bench.write({"base": {"data": data, "trainer": {"steps": 1}}, "search": {"trials": 1}, "repeat": {"seeds": 0}})
    assert desk.run(None) == 0
    assert len(desk.page().names("img")) == images
    (tmp_path / "x.npy").unlink()
    assert desk.page().names("img") == []


@pytest.mark.parametrize(("shapes", "images"), [(((40, 24), (40, 3, 5)), 2), (((40, 4, 6), (40, 15)), 0)])
def test_rows_of_a_transcoder_are_drawn_where_its_targets_are_images(
    desk: Desk, tmp_path: Path, shapes: tuple[tuple[int, ...], tuple[int, ...]], images: int
) -> None:
    for name, shape in zip("xt", shapes, strict=True):
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(0).random(shape, np.float32))
    data = {"name": "array", "root": str(tmp_path), "file": "x.npy", "target": "t.npy", "batch_size": 16}
    base = {"data": data, "model": {"tied": False}, "trainer": {"steps": 1}}
    desk.bench.write({"base": base, "search": {"trials": 1}, "repeat": {"seeds": 0}})
    assert desk.run(None) == 0
    assert len(desk.page().names("img")) == images


def test_from_the_storage_alone_the_page_says_why_there_are_none(digits: Desk, tmp_path: Path) -> None:
    found = digits.outcome()
    page = Page(write(replace(found, folder=None), tmp_path))
    assert page.names("img") == []
    assert "Made from the storage alone" in page.texts["pictures"]
