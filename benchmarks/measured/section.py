"""A section of benchmarks/validity.py: what it asks, what it measures, and how that becomes a table."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spadam.config import RunConfig
from spadam.data import ArraySpec, SyntheticSpec
from spadam.data.exclude import ExcludeSpec
from spadam.spec import Document, merge, validate
from spadam.training.result import RunResult
from spadam.training.run import run


class Setting(NamedTuple):
    """On what, and how thoroughly."""

    fashion: Path
    """A folder with the files of Fashion-MNIST."""
    quick: bool
    activations: Path | None = None
    """A folder that `spadam activations` wrote; without one tokens are synthetic."""

    def steps(self, number: int) -> int:
        return max(1, number // 10) if self.quick else number


TOKENS = 20_000


def tokens(setting: Setting) -> tuple[str, NDArray[np.float32]]:
    """What samples are of a section that adds something to them, in words, and the samples, (N, D)."""
    if setting.activations is None:
        x = SyntheticSpec(samples=TOKENS, features=64, atoms=512, active=8, noise=0.05).load().x.numpy()
        return "Synthetic samples, 64 features", x.copy()
    special = ExcludeSpec(mask="special.npy")
    spec = ArraySpec(root=str(setting.activations), file="acts-*.safetensors", exclude=special, test_size=0)
    data = spec.load()
    x = data.take(data.train[:TOKENS]).numpy()
    return f"{len(x):,} tokens of {setting.activations.name}, {x.shape[1]} features", x


class Table(NamedTuple):
    """Rows under headings; what stands above it is a sentence."""

    says: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str | float | None]]


class Section(NamedTuple):
    """One matter."""

    name: str
    title: str
    measure: Callable[[Setting], list[Table]]
    """Trains, and gives its tables; raises InputError where its data are missing."""


USUAL: dict[str, Any] = {
    "model": {"latents": 512, "rule": {"name": "top_k", "k": 16}},
    "optimizer": {"name": "adam", "lr": 3e-3},
    "trainer": {"epochs": None, "checkpoint_every": None},
    "probe": None,
    "tracking": {"mode": "disabled"},
}
"""The training that all sections share, unless they say otherwise."""


def configure(setting: Setting, steps: int, *overlays: Mapping[str, Any]) -> RunConfig:
    whole: dict[str, Any] = merge(USUAL, {"trainer": {"steps": setting.steps(steps)}})
    for overlay in overlays:
        whole = merge(whole, overlay)
    return validate(RunConfig, Document(whole, {}, "benchmarks/validity.py"))


def train(config: RunConfig) -> tuple[RunResult, Path]:
    """The result, and the folder that holds the model; it stays until the process ends."""
    folder = Path(tempfile.mkdtemp(dir=_scratch()))
    return run(config, folder), folder


def scratch() -> Path:
    """A folder for what a section writes."""
    return Path(tempfile.mkdtemp(dir=_scratch()))


def codes(result: RunResult) -> str:
    """The warnings about what is measured here, not about comparing optimizers."""
    found = [warned["code"] for warned in result.warnings]
    return ", ".join(code for code in found if code not in ("few_intermittent_rows", "all_rows_touched")) or "none"


def as_markdown(section: Section, setting: Setting) -> str:
    parts = [f"## {section.title}"]
    for table in section.measure(setting):
        head = [f"| {' | '.join(table.headings)} |", f"|{'---|' * len(table.headings)}"]
        parts += [table.says, "\n".join([*head, *(f"| {' | '.join(map(_cell, row))} |" for row in table.rows)])]
    return "\n\n".join(parts) + "\n"


def _cell(value: str | float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


_kept: list[tempfile.TemporaryDirectory[str]] = []


def _scratch() -> str:
    if not _kept:
        _kept.append(tempfile.TemporaryDirectory(prefix="spadam-validity-"))
    return _kept[0].name
