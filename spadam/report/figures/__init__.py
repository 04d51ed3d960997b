"""The figures of a page, each one a file: a function from an outcome to a section, or to why it cannot be drawn."""

from collections.abc import Callable

from spadam.report.figures.best_so_far import best_so_far
from spadam.report.figures.codes import codes
from spadam.report.figures.comparison import comparison
from spadam.report.figures.cost import cost
from spadam.report.figures.curves import curves
from spadam.report.figures.density import density
from spadam.report.figures.diagnostics import diagnostics
from spadam.report.figures.front import front
from spadam.report.figures.landscape import landscape
from spadam.report.figures.pictures import pictures
from spadam.report.figures.response import response
from spadam.report.figures.responsiveness import responsiveness
from spadam.report.section import Section
from spadam.sweep.outcome.outcome import Outcome

FIGURES: tuple[Callable[[Outcome], Section], ...] = (
    comparison,
    response,
    responsiveness,
    landscape,
    codes,
    density,
    diagnostics,
    curves,
    best_so_far,
    cost,
    pictures,
)
"""Those of a sweep that compares one metric, in the order of the page."""

FRONTS: tuple[Callable[[Outcome], Section], ...] = (
    comparison,
    codes,
    density,
    diagnostics,
    front,
    curves,
    cost,
    pictures,
)
"""Those of a sweep that compares several: a front has no best so far, and one trial is as good as another."""


def figures_of(outcome: Outcome) -> tuple[Callable[[Outcome], Section], ...]:
    """The figures of the page of a sweep; only a grid may be a design, so no other misses its figure."""
    if outcome.is_front:
        return FRONTS
    return tuple(draw for draw in FIGURES if draw is not responsiveness or outcome.sweep.spec.search.sampler == "grid")
