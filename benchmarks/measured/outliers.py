"""One token in 64 at thirty times the mean norm: what is a fraction of variance about?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from measured.section import Section, Setting, Table, codes, configure, scratch, tokens, train
from spadam.models.autoencoder import SparseAutoencoder

STEPS = 400
EVERY, TIMES = 64, 30


def measure(setting: Setting) -> list[Table]:
    what, x, long = _tokens(setting)
    folder = scratch()
    np.save(folder / "x.npy", x)
    np.save(folder / "long.npy", long)
    np.save(folder / "x_without.npy", x[~long])
    data = {"name": "array", "root": str(folder), "file": "x.npy", "batch_size": 128}
    cases: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("before", "all", {}),
        ("after", "exclude: {norm_over: 10}", {"exclude": {"norm_over": 10.0}}),
        ("after", "exclude: {mask: long.npy}", {"exclude": {"mask": "long.npy"}}),
    )
    found: list[list[str | float | None]] = []
    for when, which, keys in cases:
        config = configure(setting, STEPS, {"data": {**data, **keys}})
        result, model = train(config)
        validation = config.data.load().validation.numpy()
        of = result.metrics
        row = [of["val/fvu"], of.get("val/fvu_median_sample"), _fvu(model, x[validation[~long[validation]]])]
        found.append([when, which, *row, codes(result)])
    says = (
        f"{what}, of which one in {EVERY} is {TIMES} times as long as the mean and lies in one "
        f"direction; adam at lr 3e-3, 512 latents, k 16, {STEPS} steps. The last number of each row is of the same "
        "model on validation tokens that are not long."
    )
    headings = ["", "samples", "val/fvu", "val/fvu_median_sample", "fvu of the others", "warnings"]
    return [Table(says, headings, found)]


def _tokens(setting: Setting) -> tuple[str, NDArray[np.float32], NDArray[np.bool_]]:
    what, x = tokens(setting)
    long = np.arange(len(x)) % EVERY == 0
    direction = np.random.default_rng(0).normal(size=x.shape[1])
    direction *= TIMES * np.linalg.norm(x, axis=1).mean() / np.linalg.norm(direction)
    x[long] = direction + x[long]
    return what, x.astype(np.float32), long


def _fvu(folder: Path, x_ND: NDArray[np.float32]) -> float:
    x = torch.from_numpy(x_ND)
    error = SparseAutoencoder.load(folder)(x).reconstruction_BD.detach() - x
    return float(error.double().square().sum() / (x - x.mean(0)).double().square().sum())


SECTION = Section("outliers", "Outliers", measure)
