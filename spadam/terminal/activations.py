"""What a person sees while activations are computed, and of what came of it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from spadam.text import byte_size, count, duration

if TYPE_CHECKING:
    from spadam.activations.extraction import Extracted, Progress


class ExtractionProgress:
    """A bar with the tokens done, and the time left. Where the output is no terminal, nothing."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[done]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._bar = Bar(
            *columns, console=console, transient=True, disable=not console.is_terminal, speed_estimate_period=120
        )
        self._doing = "loading"
        self._task = self._bar.add_task(self._doing, total=None, done="")

    def update(self, progress: Progress) -> None:
        """Show where it stands."""
        if progress.doing != self._doing:  # its speed is another
            self._bar.remove_task(self._task)
            self._doing = progress.doing
            self._task = self._bar.add_task(self._doing, total=progress.total, completed=progress.done, done="")
        of = "documents" if progress.total is None else f"of {progress.total:,} tokens"
        done = f"{progress.done:,} {of}" if progress.done else ""
        self._bar.update(self._task, completed=progress.done, done=done)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._bar.stop()


def show_extracted(extracted: Extracted, out: Path, console: Console) -> None:
    """Print what was written, and how a configuration names it."""
    found = extracted.summary
    if extracted.already:
        console.print(f"done already: {out} holds these activations", markup=False, soft_wrap=True)
    shards = [name for name in found["files"] if name.startswith("acts-")]
    size = sum((out / name).stat().st_size for name in shards)
    told = [f"{found['tokens']:,} tokens of {count(found['documents'], 'document')}"]
    if found["split_documents"]:
        told.append(f"{found['split_documents']} in several windows of {found['settings']['max_tokens']} tokens")
    if found["empty_documents"]:
        told.append(f"{found['empty_documents']} empty ones left out")
    told.append(f"{found['features']} features, {count(len(shards), 'shard')}, {byte_size(size)}")
    if not extracted.already:
        told.append(duration(found["seconds"]))
    console.print("; ".join(told), markup=False, soft_wrap=True)
    data = (
        f"{{name: array, root: {out}, file: acts-*.safetensors, groups: documents.npy, exclude: {{mask: special.npy}}}}"
    )
    console.print(f"data: {data}", markup=False, soft_wrap=True)
