import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from spadam.spec import dump, merge
from spadam.sweep.definition.reading import load
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.finding import find
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.progress import Search
from spadam.sweep.running.agent import run_sweep
from spadam.sweep.running.means import Means
from spadam.terminal.sweep import show, watch
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

    def write(self, changes: dict[str, Any] | None = None, text: str | None = None, **instead: Any) -> None:
        """Its file: SPEC with ``changes`` laid over it, and keys ``instead`` of what it has there."""
        self.spec.write_text(dump({**merge(SPEC, changes or {}), **instead}) if text is None else text)

    def load(self) -> Sweep:
        return load(self.spec)

    def run(
        self,
        train: Callable[..., Any] = quadratic_train,
        variants: Sequence[str] | None = None,
        workers: int = 0,
        **means: Any,
    ) -> int:
        """As `sweep run` does, but for the page: the exit code; what is printed is kept."""
        self.said, self.told = io.StringIO(), io.StringIO()
        table, progress = Console(file=self.said, width=120), Console(file=self.told, width=120)
        try:
            with watch(progress) as view:
                with_means = Means(workers, **means)
                outcome = run_sweep(self.spec, self.out, variants, means=with_means, watcher=view, train=train)
        except KeyboardInterrupt:
            return 1
        if outcome.trouble is not None:
            progress.print(outcome.trouble, markup=False, highlight=False, soft_wrap=True)
            return 1
        show(table, outcome.sweep, [s for s in outcome.summaries if variants is None or s.variant in variants])
        return 0

    def outcome(self) -> Outcome:
        return find(self.spec, self.out)

    def read(self) -> tuple[Sweep, Sequence[Search]]:
        found = self.outcome()
        return found.sweep, found.searches

    def files(self) -> dict[str, str]:
        """Every file with a hash of its content."""
        return {
            str(path.relative_to(self.out)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.out.rglob("*"))
            if path.is_file()
        }
