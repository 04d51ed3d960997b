"""Sweeps whose trainings take no time, the page made of them, and a reader of that page."""

import json
import math
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from spadam.report import write
from spadam.report.packed import unpacked
from spadam.sweep.outcome.finding import in_folder
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.running.task import Task
from spadam.sweep.running.task import train as train_task
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support.sweep_bench import Bench
from support.sweep_quadratic import bowl, finish

Train = Callable[[Task, Callable[[Progress], None]], RunResult]


def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    """All metrics that a page shows; what has a large lr diverges. `lazy` is trained with a denser code."""
    factor = 4.0 if task.slot.variant == "lazy" else 1.0
    if task.config.optimizer.lr > 0.02:
        return finish(task, None, "diverged")
    value = bowl(task)
    metrics = {"train/fvu": value, "train/fvu_training_code": value / factor}
    metrics |= {"sparsity/l0_train": 2 * factor, "sparsity/l0_eval": 2.0, "sparsity/dead": 0.5, "test/fvu": None}
    if task.slot.phase == "repeat":
        metrics |= {"test/fvu": 1.1 * value, "test/fvu_training_code": 1.1 * value / factor}
        metrics |= {"probe/test_accuracy": 0.9 - 1e-3 * (task.slot.seed % 7)}
    return finish(task, **({"value": value} | metrics))


class Desk:
    """A sweep on a bench, and its page."""

    def __init__(self, folder: Path, begun: bool = False) -> None:
        written = (folder / "sweep.yaml").read_text() if begun else None
        self.bench = Bench(folder)
        if written is not None:
            self.bench.write(text=written)

    @property
    def folder(self) -> Path:
        return self.bench.folder

    def run(self, train: Train | None = train) -> int:
        return self.bench.run(train or train_task)

    def stop_after(self, trainings: int, train: Train = train) -> None:
        """Run so many trainings, then interrupt."""
        left = iter(range(trainings))

        def stopping(task: Task, progress: Callable[[Progress], None]) -> RunResult:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return train(task, progress)

        assert self.run(stopping) == 1

    def outcome(self) -> Outcome:
        return in_folder(self.folder)

    def page(self, out: Path | None = None) -> "Page":
        return Page(self.write(out))

    def write(self, out: Path | None = None) -> Path:
        return write(self.outcome(), out)


class Page(HTMLParser):
    """A page as a reader of its markup sees it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.markup = path.read_text(encoding="utf-8")
        self.tables: dict[str, list[list[list[str]]]] = {}
        """Every table of a section by its anchor: rows of cells, the heading first."""
        self.texts: dict[str, str] = {}
        """The text of every section; of what stands before them under the empty name."""
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._section, self._inside = "", ""
        self.feed(self.markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "section":
            self._section = str(dict(attrs)["id"])
        elif tag == "table":
            self.tables.setdefault(self._section, []).append([])
        elif tag == "tr":
            self.tables[self._section][-1].append([])
        elif tag in ("th", "td"):
            self.tables[self._section][-1][-1].append("")
        self._inside = tag if tag in ("th", "td", "script", "style") else self._inside

    def handle_endtag(self, tag: str) -> None:
        if tag in ("th", "td", "script", "style"):
            self._inside = ""
        if tag == "main":
            self._section = "end"

    def handle_data(self, data: str) -> None:
        if self._inside in ("th", "td"):
            self.tables[self._section][-1][-1][-1] += data
        if self._inside not in ("script", "style"):
            self.texts[self._section] = self.texts.get(self._section, "") + data

    def table(self, section: str, number: int = 0) -> list[dict[str, str]]:
        """The rows of a table, each by its headings."""
        head, *body = self.tables[section][number]
        return [dict(zip(head, row, strict=True)) for row in body]

    def panels(self) -> dict[str, Any]:
        """What plotly draws, by the elements that it is drawn into."""
        (text,) = re.findall(r'id="panels"[^>]*>([^<]*)</script>', self.markup)
        found: dict[str, Any] = json.loads(unpacked(text))
        return found

    def names(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every such element."""
        return [attributes for name, attributes in self.elements if name == tag]


def close(text: str, value: float, digits: int) -> bool:
    """Whether ``text`` is ``value`` written with so many significant digits."""
    return math.isclose(float(text), value, rel_tol=0.5 * 10.0 ** (1 - digits))


def rows_of(desk: Desk, **which: Any) -> list[dict[str, Any]]:
    """Rows of `results` whose fields are as given."""
    return [row for row in desk.outcome().rows if all(row[key] == value for key, value in which.items())]
