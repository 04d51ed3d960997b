"""What the best models have learnt: their decoder rows as pictures, where the data are images.

Shapes: L latents, D features.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from spadam.data import Array
from spadam.data.splits import seeded
from spadam.diagnostics.pictures import decoder_picture
from spadam.models.spec import AutoencoderSpec
from spadam.report.drawing import Section, gap, heading
from spadam.report.markup import Html, paragraph, tag
from spadam.report.trials import setting
from spadam.spec import Document, InputError, validate
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.store.studies import Record
from spadam.text import number

_ANCHOR, _TITLE = "pictures", "What the best models have learnt"
_MOST = 64
_SHAPES = {"digits": (8, 8), "mnist": (28, 28), "fashion_mnist": (28, 28)}
"""Known without reading the images."""


def pictures(outcome: Outcome) -> Section:
    """Decoder rows of one model of every variant: a repeat of its best, else the best trial."""
    if outcome.folder is None:
        return gap(_ANCHOR, _TITLE, "Made from the storage alone: the folders with the weights are not at hand.")
    drawn, missing = [], []
    for name in outcome.sweep.variants:
        picture = _of_variant(outcome, name, outcome.folder)
        if picture is None:
            missing.append(name)
        else:
            drawn.append(picture)
    if not drawn:
        return gap(_ANCHOR, _TITLE, "No model of images is there: no weights were found, or the data are no images.")
    reading = (
        f"Decoder rows, the {_MOST} that training moved furthest from their random start, the furthest first: blue is "
        "negative, white zero, red positive, each row by its own largest value. What looks like noise has moved little."
    )
    parts = [tag("figcaption", paragraph(reading, "reading")), tag("div", *drawn, class_="panels")]
    if missing:
        parts.append(paragraph(f"Without pictures, for want of weights or of images: {', '.join(missing)}.", "gap"))
    return Section(_ANCHOR, _TITLE, tag("figure", *parts))


def _of_variant(outcome: Outcome, name: str, folder: Path) -> Html | None:
    for search in outcome.best_first(name):
        for record in (*search.judged, *([search.best] if search.best else [])):
            found = _weights(folder / record.slot.folder)
            shape = None if found is None else _image_shape(record, found.shape[1])
            if found is not None and shape is not None:
                return _picture(outcome, name, record, found, shape)
    return None


def _picture(
    outcome: Outcome, name: str, record: Record, rows_LD: np.ndarray[Any, Any], shape: tuple[int, int]
) -> Html:
    dead = outcome.value(record, "sparsity/dead")
    said = record.slot.label + ("" if dead is None else f", {number(100 * dead, 3)} % of its latents dead")
    alt = f"{min(_MOST, len(rows_LD))} decoder rows of {name}, {said}"
    picture = decoder_picture(rows_LD, shape, _MOST, _by_movement(record, rows_LD))
    image = tag("img", src=_data_uri(picture), alt=alt, width=str(picture.shape[1]), height=str(picture.shape[0]))
    return tag("div", heading(outcome.number_of(name), name, said), image, class_="panel picture")


def _weights(folder: Path) -> np.ndarray[Any, Any] | None:
    """The decoder matrix (L, D) of the attempt in ``folder`` that came to its end; None when none is there."""
    for attempt in sorted(folder.glob("attempt-*")):
        if not (attempt / "result.json").is_file():
            continue
        try:
            tensors = load_file(attempt / "model.safetensors")
        except (OSError, SafetensorError):
            continue
        rows_LD = tensors.get("decoder_weight", tensors.get("encoder_weight"))  # tied: one matrix for both
        if rows_LD is not None and rows_LD.ndim == 2:
            return rows_LD
    return None


def _image_shape(record: Record, features: int) -> tuple[int, int] | None:
    """(height, width) of the samples of a training; None when they are no images, or their file is not at hand."""
    shape = _SHAPES.get(setting(record, "data.name"))
    if shape is None and setting(record, "data.name") == "array":
        shape = _shape_of_array(record)
    return shape if shape is not None and shape[0] * shape[1] == features else None


def _shape_of_array(record: Record) -> tuple[int, int] | None:
    data = Array.model_validate(setting(record, "data"))
    try:
        return data.model_copy(update={"labels": None}).read(data.files()).image_shape  # mapped: nothing is read
    except (InputError, OSError):
        return None


def _by_movement(record: Record, rows_LD: np.ndarray[Any, Any]) -> list[int]:
    """The rows by how far they are from where they began, the furthest first; the start follows from the seed."""
    model, seed = setting(record, "model"), setting(record, "seed")
    spec = validate(AutoencoderSpec, Document(model, {}, "the stored configuration"))
    start_LD = spec.build(rows_LD.shape[1], seeded("weights", seed)).decoder_rows.detach().numpy()
    return [int(row) for row in np.argsort(-np.linalg.norm(rows_LD - start_LD, axis=1), kind="stable")]


def _data_uri(picture: np.ndarray[Any, Any]) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
