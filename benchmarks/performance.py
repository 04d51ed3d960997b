"""Measures everything that docs/performance.md shows, and writes it there.

    pip install --group bench        # the peer, and matplotlib for the plot
    python benchmarks/performance.py [--only bench,parts,break-even,plot] [--rows FILE] [--quick]

Takes about half an hour on a machine that does nothing else. Tables stand between `<!-- NAME -->` and `<!-- /NAME -->`.
``--rows`` takes the rows of an earlier `spadam bench --json FILE` instead of measuring them; ``--quick`` is for trying
the program, and its figures say so.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spadam.cli.large_pages import ask_for_large_pages
from spadam.cli.waiting import wait_briefly

ask_for_large_pages()  # before torch is imported, as the command line does
wait_briefly()

import break_even
import step_parts
import step_time
from spadam.bench.case import SIGNS
from spadam.bench.machine import describe
from spadam.kernels.arithmetic import arithmetic

ROOT = Path(__file__).parents[1]
PAGE, PLOT = ROOT / "docs" / "performance.md", ROOT / "docs" / "images" / "step_time.png"

PICTURE = """![Time of a training step against the number of latents, on logarithmic axes: plain PyTorch, the floor,
ours on the float32 path and ours certified](images/step_time.png)

"""

ANSWERS = {True: "yes", False: "**no**", None: "not run"}


def measure_rows(quick: bool) -> list[dict[str, Any]]:
    """All rows of `spadam bench`, measured in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.json"
        command = "from spadam.cli import main; main()"
        options = ["bench", "--json", str(rows), *(["--quick"] if quick else [])]
        subprocess.run([sys.executable, "-c", command, *options], check=True)
        return list(json.loads(rows.read_text(encoding="utf-8")))


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a table in Markdown, and the machine."""
    lines = ["| case | ratio | bar | holds | of / over |", "|---|---|---|---|---|"]
    for row in rows:
        ratio, of = ("", row["why"]) if row["ratio"] is None else (f"{row['ratio']:.2f}", _sides(row))
        bar = f"{SIGNS[row['direction']]} {row['bar']:g}"
        lines.append(f"| {row['case']} | {ratio} | {bar} | {ANSWERS[row['holds']]} | {of} |")
    quick = " A quick run: not figures to rely on." if any(row["quick"] for row in rows) else ""
    return "\n".join([*lines, "", f"Measured on: {rows[0]['machine']}.{quick}"])


def _sides(row: dict[str, Any]) -> str:
    note = f"; {row['note']}" if row["note"] else ""
    return f"{row['of']:.4g} / {row['over']:.4g} {row['unit']}{note}"


def put(text: str, name: str, content: str) -> str:
    """``text`` with ``content`` between the marks of ``name``."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    changed, found = pattern.subn(lambda marks: f"{marks[1]}{content}\n{marks[2]}", text)
    if found != 1:
        raise SystemExit(f"{PAGE} must have the marks of {name} once, but has them {found} times")
    return changed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="bench,parts,break-even,plot")
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    quick = options.quick

    def rows() -> str:
        return table(json.loads(options.rows.read_text()) if options.rows else measure_rows(quick))

    stages: dict[str, Callable[[], str]] = {
        "bench": rows,
        "parts": lambda: step_parts.table(quick),
        "break-even": lambda: break_even.tables(quick),
        "plot": lambda: PICTURE + step_time.draw_all(PLOT, quick),
    }
    chosen = options.only.split(",")
    if unknown := set(chosen) - set(stages):
        raise SystemExit(f"--only: {', '.join(sorted(unknown))} is none of {', '.join(stages)}")
    for name in chosen:
        print(name, flush=True)
        with arithmetic(2):
            content = stages[name]()
            if name != "bench":
                content += f"\n\nMeasured on: {describe()}." + (" A quick run." if quick else "")
        PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), name, content), encoding="utf-8")


if __name__ == "__main__":
    main()
