"""What a person sees of one training: a progress line while it runs, a table when it has ended."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from spadam.terminal.tables import print_table

if TYPE_CHECKING:
    from spadam.training.progress import Progress
    from spadam.training.result import RunResult

_SHOWN = {
    "reconstruction": (
        "train/loss_stream",
        "train/fvu_training_code",
        "train/fvu",
        "val/fvu",
        "val/fvu_median_sample",
        "test/fvu_training_code",
        "test/fvu",
        "test/mse",
    ),
    "sparsity": (
        "sparsity/l0_train",
        "sparsity/l0_eval",
        "sparsity/fired",
        "sparsity/rows_touched",
        "sparsity/rows_intermittent",
        "sparsity/dead",
        "sparsity/dead_fired",
    ),
    "optimizer": ("optim/update_rms", "optim/eps_bound", "optim/clipped", "optim/clip_factor"),
    "probe": ("probe/val_accuracy", "probe/test_accuracy", "probe/baseline_untrained", "probe/baseline_pixels"),
    "time": ("time/step_ms", "time/optimizer_ms", "time/probe_s"),
}
"""What the table shows of a result, in groups; result.json holds everything."""


class TrainingProgress:
    """A bar with the steps done, the loss, and the time left. Where the output is no terminal, nothing."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._bar = Bar(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("loading", total=None, loss="")

    def update(self, progress: Progress) -> None:
        """Show where a training stands."""
        self._bar.update(
            self._task,
            description=progress.doing,
            completed=progress.step,
            total=progress.total if progress.doing == "training" else None,  # of the rest nobody knows the length
            loss="" if progress.loss is None else f"loss {progress.loss:.4g}",
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._bar.stop()


def show_result(result: RunResult, out: Path, console: Console) -> None:
    """Print the main metrics in groups, the warnings, and where the rest is."""
    if result.status == "diverged":
        console.print("[bold yellow]diverged[/]: the loss was not finite or exploded; lower the learning rate")
    table = Table(box=None, pad_edge=False, show_header=False)
    for group, names in _SHOWN.items():
        shown = [(name, result.metrics[name]) for name in names if name in result.metrics]
        for n, (name, value) in enumerate(shown):
            table.add_row(group if n == 0 else "", name, "–" if value is None else f"{value:.5g}")
    print_table(console, table)
    if missing := [name for name, value in result.metrics.items() if value is None]:
        text = f"no number came out for {', '.join(missing)}; result.json holds null there"
        console.print(f"[yellow]warning[/]: {escape(text)}")
    for warning in result.warnings:
        console.print(f"[yellow]warning[/]: {escape(warning['text'])}")
    console.print(f"everything: {escape(str(out / 'result.json'))}", soft_wrap=True)
