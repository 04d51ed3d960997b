"""The panels of which workspace and report are made."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import TYPE_CHECKING, Final

from spadam.tracking.client import STEP
from spadam.tracking.views.subject import Searched, Subject

if TYPE_CHECKING:
    import wandb_workspaces.reports.v2 as wr
    from wandb_workspaces.reports.v2.interface import PanelTypes as Panel

VARIANT: Final = "sweep.variant"
"""The key of a run's configuration that says what it is a training of."""

PICTURES: Final = ("pictures/decoder", "pictures/reconstructions")
TABLE: Final = "results"
"""The sweep's own run holds it."""

VERDICTS: Final = "verdicts"
"""It, too, where the sweep claims anything."""

_USAGE: Final = ("sparsity/rows_touched", "sparsity/dead")


def bars(subject: Subject, metrics: Iterable[str]) -> list[Panel]:
    """For each of ``metrics`` a bar a variant: the mean over its runs, with the standard error."""
    import wandb_workspaces.reports.v2 as wr

    return [
        wr.BarPlot(
            title=f"{metric}: mean and standard error",
            metrics=[metric],
            groupby=wr.Config(VARIANT),
            groupby_aggfunc="mean",
            groupby_rangefunc="stderr",
            max_runs_to_show=subject.trainings,
        )
        for metric in metrics
    ]


def curves(subject: Subject, metrics: Iterable[str]) -> list[Panel]:
    """For each of ``metrics`` a curve a variant: the mean over its runs, between the smallest and the largest."""
    import wandb_workspaces.reports.v2 as wr

    return [
        wr.LinePlot(
            title=f"{metric}: mean and range",
            x=STEP,
            y=[metric],
            groupby=wr.Config(VARIANT),
            groupby_aggfunc="mean",
            groupby_rangefunc="minmax",
            smoothing_type="none",
            max_runs_to_show=subject.trainings,
        )
        for metric in metrics
    ]


def histograms(subject: Subject) -> list[Panel]:
    """For each histogram of an evaluation, how it changes."""
    import wandb_workspaces.reports.v2 as wr

    return [wr.LinePlot(title=name, x=STEP, y=[name], smoothing_type="none") for name in subject.histograms]


def scatters(subject: Subject) -> list[Panel]:
    """Every pair of what is searched, coloured by the objective; and each alone against it.

    First the objective against the other metrics of a front, and those of bands.
    """
    import wandb_workspaces.reports.v2 as wr

    objective, searched = wr.SummaryMetric(subject.metric), subject.searched
    fronts: list[Panel] = [
        wr.ScatterPlot(title=f"{subject.metric} against {other}", x=wr.SummaryMetric(other), y=objective)
        for other in subject.others
    ]
    alone: list[Panel] = [
        wr.ScatterPlot(title=f"{subject.metric} over {one.key}", x=wr.Config(one.key), y=objective, log_x=one.log)
        for one in searched
    ]
    pairs = [
        wr.ScatterPlot(
            title=f"{subject.metric} over {one.key} and {other.key}",
            x=wr.Config(one.key),
            y=wr.Config(other.key),
            z=objective,
            log_x=one.log,
            log_y=other.log,
        )
        for one, other in combinations(searched, 2)
    ]
    return [*fronts, *pairs, *alone]


def parallel(subject: Subject) -> list[Panel]:
    """Every run a line through its variant, what was searched, how the rows were used, and the objective."""
    import wandb_workspaces.reports.v2 as wr

    def searched(one: Searched) -> wr.ParallelCoordinatesPlotColumn:
        return wr.ParallelCoordinatesPlotColumn(wr.Config(one.key), log=one.log)

    columns = [wr.ParallelCoordinatesPlotColumn(wr.Config(VARIANT), display_name="variant")]
    columns += [searched(one) for one in subject.searched]
    usage = dict.fromkeys((*_USAGE, *subject.others))
    columns += [wr.ParallelCoordinatesPlotColumn(wr.SummaryMetric(name)) for name in usage if name != subject.metric]
    # A good run ends at the top.
    columns += [wr.ParallelCoordinatesPlotColumn(wr.SummaryMetric(subject.metric), inverted=subject.minimize)]
    return [wr.ParallelCoordinatesPlot(title="every training", columns=columns, layout=wr.Layout(w=24, h=9))]


def pictures() -> list[Panel]:
    """The decoder's rows and some reconstructions, where the data are images."""
    import wandb_workspaces.reports.v2 as wr

    return [wr.MediaBrowser(title=name, media_keys=[name]) for name in PICTURES]


def table() -> list[Panel]:
    """The sweep's table."""
    import wandb_workspaces.reports.v2 as wr

    return [wr.WeavePanelSummaryTable(table_name=TABLE)]


def text(markdown: str) -> list[Panel]:
    """A panel of text."""
    import wandb_workspaces.reports.v2 as wr

    return [wr.MarkdownPanel(markdown)]


def identified(subject: Subject, place: str, panels: Iterable[Panel]) -> list[Panel]:
    """``panels`` with names of their own within ``place``, so that the same sweep gives the same view."""
    named = list(panels)
    for number, panel in enumerate(named):
        panel._id = subject.id_of(place, str(number))  # type: ignore[union-attr]  # none of them is unknown
    return named
