import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from spadam.spec import dump, merge
from spadam.sweep.definition.reading import load
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search, read
from spadam.sweep.running.agent import WritePage, run_sweep
from support.sweep_quadratic import train as quadratic_train

SPEC: dict[str, Any] = {
    "name": "lr-eps",
    "base": {
        "data": {"name": "synthetic", "samples": 200, "features": 8, "atoms": 16, "active": 2, "batch_size": 32},
        "model": {"latents": 16, "rule": {"name": "top_k", "k": 2}},
        "trainer": {"epochs": None, "steps": 2},
        "tracking": {"mode": "disabled"},
    },
    "variants": {"adam": {"optimizer": {"name": "adam"}}, "lazy": {"optimizer": {"name": "lazy_adam"}}},
    "space": {
        "optimizer.lr": {"low": 1e-5, "high": 1e-1, "log": True},
        "optimizer.eps": {"low": 1e-10, "high": 1.0, "log": True},
    },
    "search": {"sampler": "random", "trials": 3, "studies": 1, "seed": 0, "lag": 4},
    "repeat": {"seeds": 2},
    "objective": {"metric": "val/fvu", "direction": "minimize"},
}


class Bench:
    """A sweep's file and output folder, and what a person can do with them."""

    def __init__(self, folder: Path) -> None:
        self.spec, self.out = folder / "sweep.yaml", folder / "runs"
        self.said, self.told = io.StringIO(), io.StringIO()
        self.write()

    @property
    def folder(self) -> Path:
        return self.out / "lr-eps"

    def write(self, changes: dict[str, Any] | None = None, text: str | None = None) -> None:
        self.spec.write_text(dump(merge(SPEC, changes or {})) if text is None else text)

    def load(self) -> Sweep:
        return load(self.spec)

    def run(
        self,
        train: Callable[..., Any] = quadratic_train,
        variants: Sequence[str] | None = None,
        workers: int = 0,
        write_page: WritePage | None = None,
    ) -> int:
        self.said, self.told = io.StringIO(), io.StringIO()
        table, progress = Console(file=self.said, width=120), Console(file=self.told, width=120)
        how: dict[str, Any] = {"workers": workers, "write_page": write_page, "train": train}
        return run_sweep(self.spec, self.out, variants, table, progress=progress, **how)

    def read(self) -> tuple[Sweep, list[Search]]:
        return read(self.spec, self.out)

    def files(self) -> dict[str, str]:
        """Every file with a hash of its content."""
        return {
            str(path.relative_to(self.out)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.out.rglob("*"))
            if path.is_file()
        }
