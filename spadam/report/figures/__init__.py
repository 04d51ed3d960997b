"""The figures of a page, each one a file: a function from an outcome to a section, or to why it cannot be drawn."""

from collections.abc import Callable

from spadam.report.figures.best_so_far import best_so_far
from spadam.report.figures.codes import codes
from spadam.report.figures.comparison import comparison
from spadam.report.figures.curves import curves
from spadam.report.figures.density import density
from spadam.report.figures.landscape import landscape
from spadam.report.figures.pictures import pictures
from spadam.report.figures.response import response
from spadam.report.section import Section
from spadam.sweep.outcome.outcome import Outcome

FIGURES: tuple[Callable[[Outcome], Section], ...] = (
    comparison,
    curves,
    response,
    landscape,
    best_so_far,
    codes,
    density,
    pictures,
)
"""All of them, in the order of the page."""
