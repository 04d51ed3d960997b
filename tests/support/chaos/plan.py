"""Sweeps of trainings that take half a second, with several checkpoints in each; and what they plan, told naively."""

from __future__ import annotations

from typing import Any, NamedTuple

from spadam.spec import merge

EPOCHS, STEPS_OF_EPOCH, CHECKPOINT_EVERY = 6, 18, 6
"""Of one training on 1,200 digits in batches of 64; a checkpoint is never further away than so many steps."""

SPEC: dict[str, Any] = {
    "name": "chaos",
    "base": {
        "data": {"name": "digits", "batch_size": 64},
        "model": {"latents": 64, "rule": {"name": "top_k", "k": 4}, "selection": "float32"},
        "trainer": {"epochs": EPOCHS, "checkpoint_every": CHECKPOINT_EVERY, "threads": 1, "accelerator": "cpu"},
        "tracking": {"mode": "disabled"},
    },
    "variants": {"adam": {"optimizer": {"name": "adam"}}, "lazy": {"optimizer": {"name": "lazy_adam"}}},
    "space": {"optimizer.lr": {"low": 1e-4, "high": 1e-2, "log": True}},
    "search": {"sampler": "random", "trials": 6, "studies": 1, "seed": 0, "lag": 2},
    "repeat": {"seeds": 2},
    "objective": {"metric": "val/fvu", "direction": "minimize"},
}

LAZY = {"variants": {"lazy": SPEC["variants"]["lazy"]}}

TPE = {**merge(SPEC, {"search": {"sampler": "tpe", "trials": 12}}), **LAZY}
"""Its last trials are proposed from the results of those before: another order would be seen."""

SMALL = {**merge(SPEC, {"search": {"trials": 2}, "repeat": {"seeds": 1}, "base": {"trainer": {"epochs": 3}}}), **LAZY}
"""Three trainings."""


class Promise(NamedTuple):
    """What a sweep's file plans of one variant in one study."""

    variant: str
    study: int
    trials: int
    repeats: int


def promises(spec: dict[str, Any]) -> list[Promise]:
    """What ``spec`` plans."""
    search, seeds = spec["search"], spec["repeat"]["seeds"]
    return [
        Promise(variant, study, search["trials"], seeds)
        for variant in spec["variants"]
        for study in range(search["studies"])
    ]


def steps(spec: dict[str, Any]) -> list[int]:
    """The steps at which a training evaluates: before the first, and at the end of each epoch."""
    return [epoch * STEPS_OF_EPOCH for epoch in range(spec["base"]["trainer"]["epochs"] + 1)]
