"""What the best models have learnt: rows of theirs as pictures, where the data are images.

Shapes: L rows, D features.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from spadam.config import ModelSpec
from spadam.data import ArraySpec
from spadam.diagnostics.pictures import decoder_picture
from spadam.models.task_spec import TaskSpec
from spadam.report.drawing import Head
from spadam.report.markup import Html, paragraph, tag
from spadam.report.section import Image, Section, gap, heading
from spadam.report.trials import setting
from spadam.spec import Document, InputError, Spec, validate
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.store.attempts import Record
from spadam.text import number

_ANCHOR, _TITLE = "pictures", "What the best models have learnt"
_MOST, _ALL, _FEWEST = 64, 512, 9
"""Rows in a picture at most, rows of all variants together, and in a picture at least: pictures make a page large."""
_SHAPES = {"digits": (8, 8), "mnist": (28, 28), "fashion_mnist": (28, 28)}
"""Known without reading the images."""


def pictures(outcome: Outcome) -> Section:
    """Rows of one model of every variant: a repeat of its best, else the best trial."""
    if outcome.folder is None:
        return gap(_ANCHOR, _TITLE, "Made from the storage alone: the folders with the weights are not at hand.")
    drawn, missing = [], []
    most = max(_FEWEST, min(_MOST, math.isqrt(_ALL // len(outcome.sweep.variants)) ** 2))  # in a square
    for name in outcome.sweep.variants:
        picture = _of_variant(outcome, name, outcome.folder, most)
        if picture is None:
            missing.append(name)
        else:
            drawn.append(picture)
    if not drawn:
        return gap(_ANCHOR, _TITLE, _why_none(outcome))
    reading = (
        f"Decoder rows, the {most} that training moved furthest from their random start, the furthest first: blue is "
        "negative, white zero, red positive, each row by its own largest value. What looks like noise has moved little."
    )
    parts = [tag("figcaption", paragraph(reading, "reading")), tag("div", *map(_html, drawn), class_="panels")]
    if missing:
        parts.append(paragraph(f"Without pictures, for want of weights or of images: {', '.join(missing)}.", "gap"))
    return Section(_ANCHOR, _TITLE, tag("figure", *parts), images=drawn)


def _why_none(outcome: Outcome) -> str:
    """Why there is not one picture, in a sentence."""
    for name in outcome.sweep.variants:
        for record in _candidates(outcome, name):
            task = _task(record)
            if task is not None and not task.has_pictures:
                return "What this sweep trains has no pictures."
    return "No model of images is there: no weights were found, or the data are no images."


def _of_variant(outcome: Outcome, name: str, folder: Path, most: int) -> Image | None:
    for record in _candidates(outcome, name):
        shape = _image_shape(record)
        rows_LD = None if shape is None else _rows(record, folder / record.slot.folder)
        if rows_LD is not None and shape is not None and rows_LD.shape[1] == shape[0] * shape[1]:
            return _picture(outcome, name, record, rows_LD[:most], shape)
    return None


def _candidates(outcome: Outcome, name: str) -> Iterator[Record]:
    """The trainings of a variant that may be shown, in the order in which one is looked for."""
    for search in outcome.best_first(name):
        yield from search.judged
        if search.best:
            yield search.best


def _picture(
    outcome: Outcome, name: str, record: Record, rows_LD: np.ndarray[Any, Any], shape: tuple[int, int]
) -> Image:
    dead = outcome.value(record, "sparsity/dead")
    said = record.slot.label + ("" if dead is None else f", {number(100 * dead, 3)} % of its latents dead")
    label = f"{len(rows_LD)} decoder rows of {name}, {said}"
    return Image(decoder_picture(rows_LD, shape), label, Head(name, said, outcome.number_of(name)))


def _html(image: Image) -> Html:
    height, width, _ = image.pixels.shape
    source = f"data:image/png;base64,{base64.b64encode(image.png()).decode()}"
    shown = tag("img", src=source, alt=image.label, width=str(width), height=str(height))
    return tag("div", heading(image.head), shown, class_="panel picture")


def _rows(record: Record, folder: Path) -> np.ndarray[Any, Any] | None:
    """The rows (L, D) to draw of the attempt in ``folder`` that came to its end; None when there are none."""
    task = _task(record)
    if task is None or not task.has_pictures:
        return None
    for attempt in sorted(folder.glob("attempt-*")):
        if not (attempt / "result.json").is_file():
            continue
        try:
            tensors = load_file(attempt / "model.safetensors")
        except (OSError, SafetensorError):
            continue
        rows_LD = task.rows_to_draw(tensors, setting(record, "seed"))
        if rows_LD is not None:
            return rows_LD
    return None


def _task(record: Record) -> TaskSpec | None:
    """What was trained; None where that cannot be imported here."""
    document = Document({"model": setting(record, "model")}, {}, "the stored configuration")
    try:
        return validate(_Trained, document).model.resolve()
    except InputError:
        return None


class _Trained(Spec):
    """What of a stored configuration says what was trained."""

    model: ModelSpec


def _image_shape(record: Record) -> tuple[int, int] | None:
    """(height, width) of what a training reconstructs; None when it is no images, or its file is not at hand."""
    shape = _SHAPES.get(setting(record, "data.name"))
    if shape is None and setting(record, "data.name") == "array":
        shape = _shape_of_array(record)
    return shape


def _shape_of_array(record: Record) -> tuple[int, int] | None:
    data = ArraySpec.model_validate(setting(record, "data"))
    try:
        samples = data.model_copy(update={"labels": None}).read(data.files())  # mapped: nothing is read
        return (samples.target or samples).image_shape
    except (InputError, OSError):
        return None
