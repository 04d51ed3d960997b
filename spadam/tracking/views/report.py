"""The report of a sweep: its story, with what W&B draws of its runs beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from spadam.tracking.views import panels
from spadam.tracking.views.publishing import View
from spadam.tracking.views.subject import Subject

if TYPE_CHECKING:
    import wandb_workspaces.reports.v2 as wr
    from wandb_workspaces.reports.v2.interface import PanelTypes as Panel

_LONGEST_TITLE: Final = 128


class Story(NamedTuple):
    """What is told in words."""

    compared: str
    """What was compared, in a sentence or two."""
    state: str
    """How far it is."""
    table: str
    """The tuned comparison with its notes, as Markdown."""
    spec: str
    """The sweep's file, YAML."""


def report(subject: Subject, story: Story) -> View:
    """``story``, and the repeats, the search and the curves as W&B draws them."""
    import wandb_workspaces.reports.v2 as wr

    told = wr.Report(
        project="",
        entity="",
        title=subject.name[:_LONGEST_TITLE],
        description=story.compared,
        blocks=[
            wr.P(story.compared),
            wr.P(story.state),
            wr.H1("What came of it"),
            wr.MarkdownBlock(story.table),
            *_drawn(subject),
            wr.H1("How it was made"),
            wr.P("With spadam: this file as sweep.yaml, and `spadam sweep run sweep.yaml`."),
            wr.CodeBlock(story.spec, language="yaml"),
        ],
        width="fluid",
    )
    spec = told._to_model().spec
    name = subject.id_of("report")
    return View("runs", name, told.title, story.compared, spec.model_dump_json(by_alias=True, exclude_none=True))


def _drawn(subject: Subject) -> list[wr.H1 | wr.P | wr.PanelGrid]:
    import wandb_workspaces.reports.v2 as wr

    blocks: list[wr.H1 | wr.P | wr.PanelGrid] = []
    if subject.judged:
        said = "The best of each search, trained again with fresh seeds. Whiskers are standard errors, as W&B has them."
        compared = panels.bars(subject, (subject.metric, *subject.judged))
        blocks += [wr.H1("Repeats"), wr.P(said), _grid(subject, "repeat", compared)]
    if subject.searched:
        every = "Every trial of the searches" + (" within the bands" if subject.distance is not None else "")
        said = f"{every}. The best of many is optimistic: the repeats are what counts."
        searched = panels.scatters(subject) + panels.parallel(subject)
        blocks += [wr.H1("The search"), wr.P(said), _grid(subject, "search", searched)]
    phase = "repeat" if subject.judged else "search"
    blocks += [wr.H1("How they learnt, and what of the rows was used")]
    return [*blocks, _grid(subject, phase, panels.curves(subject, subject.followed), "curves")]


def _grid(subject: Subject, phase: str, drawn: list[Panel], place: str = "") -> wr.PanelGrid:
    """``drawn`` over the runs of a phase of the sweep."""
    import wandb_workspaces.expr as expr
    import wandb_workspaces.reports.v2 as wr

    which = [expr.Metric("Group") == subject.name, expr.Metric("JobType") == phase]
    if phase == "search" and subject.distance is not None:
        which.append(expr.Summary(subject.distance) <= 0)
    runs = wr.Runset(name=f"{subject.name}: {phase}", filters=expr.And(*which))
    place = f"report {place or phase}"
    runs._id = subject.id_of(place, "runs")
    return wr.PanelGrid(runsets=[runs], panels=panels.identified(subject, place, drawn))
