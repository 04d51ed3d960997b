"""A constant added to all samples: what does an encoder see that looks at them as they are?"""

from __future__ import annotations

from typing import Any

import numpy as np

from measured.section import Section, Setting, Table, codes, configure, scratch, tokens, train

STEPS = 100
EPOCH = 429
"""Steps of an epoch on Fashion-MNIST, 128 images each."""

BEFORE, AFTER = ("before", "none"), ("after", "mean")


def measure(setting: Setting) -> list[Table]:
    return [_moved(setting), _fashion(setting)]


def _moved(setting: Setting) -> Table:
    """The same samples about four places."""
    what, x = tokens(setting)
    x = x - x.mean(0)
    direction = np.random.default_rng(0).normal(size=x.shape[1])
    direction *= np.sqrt(np.square(x).sum(1).mean()) / np.linalg.norm(direction)
    found: list[list[str | float | None]] = []
    for gamma in (0, 1, 3, 10):
        folder = scratch()
        np.save(folder / "x.npy", (x + gamma * direction).astype(np.float32))
        data = {"name": "array", "root": str(folder), "file": "x.npy", "batch_size": 128}
        for when, pre_bias in (BEFORE, AFTER):
            result, _ = train(configure(setting, STEPS, {"data": data, "model": {"pre_bias": pre_bias}}))
            first, of = result.evaluations[0], result.metrics
            row = [first["sparsity/dead"], of["sparsity/rows_touched"], of["val/fvu"], of["sparsity/l0_eval"]]
            found.append([f"{of['data/gamma']:.2g}", f"{when}: {pre_bias}", *row, codes(result)])
    says = f"{what}, plus a constant; adam at lr 3e-3, 512 latents, k 16, {STEPS} steps."
    return Table(says, ["data/gamma", "pre_bias", "dead at step 0", *_SHOWN, "val/fvu", "L0", "warnings"], found)


_SHOWN = ["rows touched"]


def _fashion(setting: Setting) -> Table:
    data = {"name": "fashion_mnist", "root": str(setting.fashion), "batch_size": 128}
    model: dict[str, Any] = {"latents": 1000, "rule": {"name": "top_k", "k": 25}}
    found: list[list[str | float | None]] = []
    for optimizer in ("adam", "lazy_adam"):
        for when, pre_bias in (BEFORE, AFTER):
            keys = {
                "data": data,
                "model": {**model, "pre_bias": pre_bias},
                "optimizer": {"name": optimizer, "lr": 1e-3},
            }
            result, _ = train(configure(setting, 3 * EPOCH, keys))
            of = result.metrics
            row = [of["sparsity/dead"], of["sparsity/rows_touched"], of["test/mse"]]
            found.append([optimizer, f"{when}: {pre_bias}", *row, codes(result)])
    says = "Fashion-MNIST, whose gamma is 1.17; lr 1e-3, 1000 latents, k 25, 3 epochs, one seed."
    return Table(says, ["optimizer", "pre_bias", "dead", *_SHOWN, "test/mse", "warnings"], found)


SECTION = Section("centring", "Centring", measure)
