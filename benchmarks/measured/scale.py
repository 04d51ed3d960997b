"""The same images, a hundredth as large: is the training the same one? And what is an eps of 1e-8?"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from measured.section import Section, Setting, Table, configure, scratch, train
from spadam.data import FashionMnistSpec
from spadam.training.gradient_scale import gradient_rms

STEPS = 100


def measure(setting: Setting) -> list[Table]:
    images = FashionMnistSpec(root=str(setting.fashion), train_size=20_000).load()
    rows = np.concatenate([part.numpy() for part in (images.train, images.validation)])
    folder = scratch()
    data = {"name": "array", "root": str(folder), "batch_size": 128}
    for name, factor in (("x", 1.0), ("x/100", 0.01)):
        np.save(folder / f"{name.replace('/', '_over_')}.npy", images.x.numpy()[rows] * np.float32(factor))
    return [_trained(setting, data), _gradients(setting, data)]


def _trained(setting: Setting, data: dict[str, Any]) -> Table:
    found: list[list[str | float | None]] = []
    for when, scale in (("before", "none"), ("after", "unit_sq"), ("after", "sqrt_d")):
        for name in ("x", "x/100"):
            overlay = {**data, "file": f"{name.replace('/', '_over_')}.npy", "scale": scale}
            config = configure(setting, STEPS, {"data": overlay})
            of = train(config)[0].metrics
            row = [
                of["data/scale"],
                gradient_rms(config),
                of["val/fvu"],
                of["sparsity/dead"],
                of["sparsity/rows_touched"],
            ]
            found.append([when, name, scale, *row])
    says = (
        f"Fashion-MNIST, 20,000 images, as pixels in [0, 1] and divided by 100; adam at lr 3e-3, 512 latents, k 16, "
        f"batch 128, {STEPS} steps."
    )
    headings = ["", "samples", "data.scale", "data/scale", "gradient rms", "val/fvu", "dead", "rows touched"]
    return Table(says, headings, found)


def _gradients(setting: Setting, data: dict[str, Any]) -> Table:
    """The gradient before the first step under the conventions of the field."""
    found: list[list[str | float | None]] = []
    rms = []
    for reduction, scale in itertools.product(("mean", "sample"), ("none", "unit_sq", "sqrt_d")):
        overlay = {"data": {**data, "file": "x.npy", "scale": scale}, "model": {"reduction": reduction}}
        rms.append(gradient_rms(configure(setting, STEPS, overlay)))
        found.append([reduction, scale, rms[-1]])
    says = (
        f"The root mean square of the gradient before the first step, by convention: a factor of "
        f"{max(rms) / min(rms):.2g} lies between them, so an eps says nothing without one. `sweep plan` shows it."
    )
    return Table(says, ["model.reduction", "data.scale", "gradient rms"], found)


SECTION = Section("scale", "Scale", measure)
