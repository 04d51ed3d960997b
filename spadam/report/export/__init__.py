"""What a paper takes from a page: every figure as SVG and PNG, every picture as PNG, the table as LaTeX and Markdown.

A figure is one file, all its panels in it, named after its anchor on the page. The same outcome gives the same SVG,
LaTeX and Markdown, letter for letter.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from spadam.files import check_folder, write_atomic
from spadam.report.export.renderer import Told, check, render
from spadam.spec import InputError

if TYPE_CHECKING:
    from spadam.sweep.outcome.outcome import Outcome


def exported(outcome: Outcome, folder: Path, told: Told) -> dict[str, bytes]:
    """The files for ``folder``, by name; it is made, and nothing written yet. ``told`` hears how many are drawn.

    Raises :class:`InputError` when ``folder`` cannot hold them, or they cannot be drawn here.
    """
    _check(folder)
    check(str(folder))
    from spadam.report.export.composition import compose
    from spadam.report.export.latex import latex
    from spadam.report.export.markdown import markdown
    from spadam.report.export.noted import noted
    from spadam.report.figures import figures_of

    sections = [draw(outcome) for draw in figures_of(outcome)]
    drawn = [section for section in sections if section.panels]
    figures = [compose(section, outcome.sweep.name) for section in drawn]
    files = render(figures, [section.anchor for section in drawn], told, str(folder))
    for section in sections:
        files |= {f"{section.anchor}-{image.head.text}.png": image.png() for image in section.images}
    table = noted(outcome)
    files["table.md"] = markdown(table).encode()
    files["table.tex"] = latex(table, outcome.sweep.name).encode()
    with _writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return files


def put(files: Mapping[str, bytes], folder: Path) -> None:
    """Write ``files`` into ``folder``. Raises :class:`InputError` when that cannot be."""
    with _writable(folder):
        for name, content in files.items():
            write_atomic(folder / name, content)


def _check(folder: Path) -> None:
    """Raise :class:`InputError` when nothing could be written into ``folder``, as far as one sees without trying."""
    try:
        check_folder(folder)
    except InputError as error:
        raise InputError("--export", error.value, error.rule, error.remedy) from None
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise _unwritable(folder, f"{there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise _unwritable(folder, f"{there} cannot be written")


@contextlib.contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unwritable(folder, error.strerror or str(error)) from None


def _unwritable(folder: Path, why: str) -> InputError:
    rule = f"the folder for figures and tables must be writable ({why})"
    return InputError("--export", str(folder), rule, "give another folder with --export")
